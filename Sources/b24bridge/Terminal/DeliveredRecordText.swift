import Foundation
import KafkaClient

/// A delivered record for people: where it is, its key and headers, its value indented.
enum DeliveredRecordText {
    static func pretty(_ report: borrowing DeliveryReport) -> String {
        var text = "--- \(report.topicName) [\(report.partition)] @\(report.offset)\n"
        text += "key: \(String(decoding: report.key, as: UTF8.self))\n"
        var headers = ""
        report.forEachHeader { header in
            headers +=
                "\(String(decoding: header.name, as: UTF8.self)): \(String(decoding: header.value, as: UTF8.self))\n"
        }
        return text + headers + String(decoding: JSONLayout.indented(Array(report.value)), as: UTF8.self) + "\n\n"
    }
}

/// Lays JSON out for people and keeps the order of its keys, which `JSONSerialization` does not.
enum JSONLayout {
    static func indented(_ json: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var depth = 0
        var isInString = false
        var isEscaped = false
        func breakLine() {
            result.append(UInt8(ascii: "\n"))
            result.append(contentsOf: repeatElement(UInt8(ascii: " "), count: 2 * depth))
        }
        for (index, byte) in json.enumerated() {
            if isInString {
                result.append(byte)
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isInString = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                result.append(byte)
                // An empty object or array stays on its line; `}` and `]` follow their partners by 2 in ASCII.
                if index + 1 < json.count, json[index + 1] != byte + 2 {
                    depth += 1
                    breakLine()
                }
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                if index > 0, json[index - 1] != byte - 2 {
                    depth = max(0, depth - 1)
                    breakLine()
                }
                result.append(byte)
            case UInt8(ascii: ","):
                result.append(byte)
                breakLine()
            case UInt8(ascii: ":"): result.append(contentsOf: ": ".utf8)
            default:
                isInString = byte == UInt8(ascii: "\"")
                result.append(byte)
            }
        }
        return result
    }
}
