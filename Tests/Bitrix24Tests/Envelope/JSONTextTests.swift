import Foundation
import Testing

@testable import Bitrix24

@Suite struct JSONTextTests {
    private func json(_ bytes: [UInt8]) -> JSONText {
        var json = JSONText()
        json.string(bytes[...])
        return json
    }

    private func parsed(_ json: JSONText) throws -> String {
        try #require(
            try JSONSerialization.jsonObject(with: Data(json.bytes), options: .fragmentsAllowed) as? String
        )
    }

    @Test func escapesWhatMustBeAndNothingElse() {
        let short: [UInt8: String] = [
            0x08: "\\b", 0x09: "\\t", 0x0A: "\\n", 0x0C: "\\f", 0x0D: "\\r", 0x22: "\\\"", 0x5C: "\\\\",
        ]
        for byte in UInt8(0)..<0x80 {
            let text = String(decoding: json([0x61, byte, 0x62]).bytes, as: UTF8.self)
            let plain = String(UnicodeScalar(byte))
            let expected = short[byte] ?? (byte < 0x20 ? "\\u" + String(format: "%04x", Int(byte)) : plain)
            #expect(text == "\"a\(expected)b\"")
        }
        #expect(
            String(decoding: json(Array("/<>&'\u{7F}\u{2028}Привет😀".utf8)).bytes, as: UTF8.self)
                == "\"/<>&'\u{7F}\u{2028}Привет😀\""
        )
        #expect(json([]).bytes == Array("\"\"".utf8))
    }

    @Test func repairsBytesAsSwiftAndTheUnicodeStandardDo() throws {
        var random = SplitMix64(state: 13)
        // Mostly leads and continuations, at the edges of what is well-formed.
        let edges: [UInt8] = [
            0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE,
            0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF, 0xBB, 0xBD, 0xB7,
        ]
        for _ in 0..<10_000 {
            let bytes = (0..<Int.random(in: 0...12, using: &random)).map { _ in
                Bool.random(using: &random)
                    ? edges[Int.random(in: 0..<edges.count, using: &random)] : .random(in: 0...255, using: &random)
            }
            let written = json(bytes)
            let expected = String(decoding: bytes, as: UTF8.self)
            #expect(Array(try parsed(written).unicodeScalars) == Array(expected.unicodeScalars), "\(bytes)")
            let genuine = expected.unicodeScalars.filter { $0 == "\u{FFFD}" }.count
            let sent = bytes.indices.filter { bytes[$0...].starts(with: [0xEF, 0xBF, 0xBD]) }.count
            #expect(written.repairs == genuine - sent, "\(bytes)")
        }
    }

    @Test func countsRepairsOverTheWholeText() {
        var json = JSONText()
        json.string([0xFF, 0x41, 0xFE][...])
        json.string([0xE2, 0x82][...])
        #expect(json.repairs == 3)
        json.removeAll()
        #expect(json.repairs == 0)
        #expect(json.bytes.isEmpty)
    }

    @Test func longTextsOfEveryLengthComeThroughWhole() throws {
        for count in 0..<70 {
            for special in ["", "\"", "\n", "é", "\u{1}"] {
                let text = String(repeating: "x", count: count) + special + "yz"
                #expect(try parsed(json(Array(text.utf8))) == text)
            }
        }
    }

    @Test func anAttributeHasNoControlCharactersNorNoncharacters() {
        func attribute(_ bytes: [UInt8]) -> String {
            var output: [UInt8] = []
            bytes.withUnsafeBytes { UTF8Text.attribute($0, into: &output) }
            return String(decoding: output, as: UTF8.self)
        }
        for scalar in 0..<UInt32(0x3000) {
            guard let scalar = Unicode.Scalar(scalar) else { continue }
            let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
            #expect(attribute(Array(String(scalar).utf8)) == (isControl ? "\u{FFFD}" : String(scalar)))
        }
        for value in [0xFDD0, 0xFDEF, 0xFFFE, 0xFFFF, 0x1FFFE, 0x10FFFF] as [UInt32] {
            let scalar = Unicode.Scalar(value).map { Array(String($0).utf8) } ?? []
            #expect(attribute(scalar) == "\u{FFFD}")
        }
        #expect(attribute([0x61, 0xFF, 0x62]) == "a\u{FFFD}b")
        #expect(
            attribute(Array("crm.deal/7 \u{FDCF}\u{FDF0}\u{10FFFD}".utf8)) == "crm.deal/7 \u{FDCF}\u{FDF0}\u{10FFFD}"
        )
    }
}
