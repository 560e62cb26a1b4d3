import Testing

@testable import Bitrix24

@Suite struct JSONMemberTests {
    private static func source(in json: String) -> String? {
        Array(json.utf8).withUnsafeBytes { bytes in
            JSONMember.text(of: "source", in: bytes).map { String(decoding: $0, as: UTF8.self) }
        }
    }

    @Test(arguments: [
        #"{"source":"a"}"#, #"{"specversion":"1.0","id":"x","source":"a","data":{"source":"b"}}"#,
        #" { "data" : { "source" : "b", "x" : [1, {"source":"c"}, "}"] } , "n" : -1.5e3, "t":true, "source" : "a" }"#,
        #"{"x":"\"source\":\"b\"","y":"\\","source":"a"}"#, #"{"x":[],"y":{},"z":null,"source":"a","source":"b"}"#,
    ])
    func `the outermost member is found wherever it stands`(json: String) {
        #expect(Self.source(in: json) == "a")
    }

    @Test(arguments: [
        "", "[]", "null", #"{"data":{"source":"b"}}"#, #"{"source":1}"#, #"{"source":"a"#, #"{"x":"source"}"#,
        #"{"x":"y\"#, #"[["source","a"]]"#, #"{"x" "source":"a"}"#,
    ])
    func `what is not there, is no text or is no object is not found`(json: String) {
        #expect(Self.source(in: json) == nil)
    }

    @Test(arguments: ["a223c6b3710f85df22e9377d6c4f7553", "a b/ü%41", "", "%"])
    func `the portal is read back from its source`(memberID: String) {
        var source: [UInt8] = []
        Array(memberID.utf8).withUnsafeBytes { PortalSource.write($0, into: &source) }
        let decoded = source.withUnsafeBytes { bytes in
            PortalSource.encodedMemberID(in: bytes).map { PortalSource.decode($0) }
        }
        #expect(decoded.map { String(decoding: $0, as: UTF8.self) } == memberID)
        #expect(Array("/other/x".utf8).withUnsafeBytes { PortalSource.encodedMemberID(in: $0) == nil })
    }
}
