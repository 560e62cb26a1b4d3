import NIOCore
import NIOHTTP1
import Testing

@testable import Ingress

@Suite struct AddressTests {
    @Test(arguments: [
        ("10.0.0.0/8", "10.255.255.255", true),
        ("10.0.0.0/8", "11.0.0.0", false),
        ("0.0.0.0/0", "203.0.113.9", true),
        ("0.0.0.0/0", "2001:db8::1", false),
        ("::/0", "2001:db8::1", true),
        ("192.0.2.1", "192.0.2.1", true),
        ("192.0.2.1", "192.0.2.2", false),
        ("192.0.2.128/25", "192.0.2.127", false),
        ("10.0.0.0/8", "::ffff:10.1.2.3", true),
        ("::ffff:10.0.0.0/104", "10.1.2.3", true),
        ("2001:db8::/33", "2001:db8:7fff::1", true),
        ("2001:db8::/33", "2001:db8:8000::1", false),
    ])
    func `a network holds its addresses and no others`(_ range: String, _ address: String, _ isInside: Bool) throws {
        let ranges = try AddressRanges(["198.51.100.0/24", range])
        #expect(ranges.contains(try #require(IPAddress(address))) == isInside)
        #expect(ranges.contains(try SocketAddress(ipAddress: address, port: 1)) == isInside)
    }

    @Test(arguments: [
        "", "10.0.0", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8/8", "10.0.0.1/8", "::/129",
        "[::]/0", "fe80::1%eth0", "example.com", " 10.0.0.0/8", "10.0.0.0/ 8", "10.0.0.0\0/8",
    ])
    func `what is no network is refused with the mend`(_ entry: String) {
        let error = #expect(throws: AddressRangeError.self) { try AddressRanges(["10.0.0.0/8", entry]) }
        #expect(error?.entry == entry)
        #expect(error?.description.contains("write") == true)
    }

    @Test func `an address is written as it is read`() {
        for text in ["192.0.2.1", "2001:db8::1", "::1", "0.0.0.0"] { #expect(IPAddress(text)?.description == text) }
        #expect(IPAddress("::ffff:192.0.2.1")?.description == "192.0.2.1")
    }

    private func client(_ fields: [(String, String)], peer: String = "10.0.0.1") throws -> String? {
        let head = HTTPRequestHead(version: .http1_1, method: .POST, uri: "/", headers: HTTPHeaders(fields))
        let request = RequestHead(head, contentLength: 0, remoteAddress: try SocketAddress(ipAddress: peer, port: 1))
        return clientAddress(of: request, trustedProxies: try AddressRanges(["10.0.0.0/8", "2001:db8::/32"]))?
            .description
    }

    @Test func `a peer that is no trusted proxy is the client, whatever it says`() throws {
        #expect(try client([("X-Forwarded-For", "192.0.2.1")], peer: "203.0.113.5") == "203.0.113.5")
        #expect(try client([]) == "10.0.0.1")
    }

    @Test(arguments: [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.9, 192.0.2.1", "192.0.2.1"),
        ("192.0.2.1, 10.0.0.7, 10.0.0.8", "192.0.2.1"),
        ("10.0.0.9, 10.0.0.8", "10.0.0.9"),
        ("198.51.100.1:4711", "198.51.100.1"),
        ("[2001:db9::1]:80, 2001:db8::5", "2001:db9::1"),
        ("garbage, 192.0.2.1", "192.0.2.1"),
        ("192.0.2.1, garbage", nil),
        ("192.0.2.1, unknown, 10.0.0.8", nil),
        ("::ffff:192.0.2.1", "192.0.2.1"),
    ])
    func `the rightmost forwarded address that is not trusted counts`(_ value: String, _ expected: String?) throws {
        #expect(try client([("x-forwarded-for", value)]) == expected)
    }

    @Test func `several lines are one list`() throws {
        let fields = [("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-For", "192.0.2.2, 10.0.0.3")]
        #expect(try client(fields) == "192.0.2.2")
    }

    @Test(arguments: [
        ("for=192.0.2.1", "192.0.2.1"),
        ("for=192.0.2.9, For=\"192.0.2.1:80\";proto=https;by=10.0.0.2", "192.0.2.1"),
        ("for=\"[2001:db9::1]:80\", for=10.0.0.3", "2001:db9::1"),
        ("host=\"a,for=192.0.2.7\";for=192.0.2.1", "192.0.2.1"),
        ("for=192.0.2.1, for=_hidden", nil),
        ("for=192.0.2.1, proto=https", nil),
    ])
    func `the Forwarded field is read like it`(_ value: String, _ expected: String?) throws {
        #expect(try client([("Forwarded", value)]) == expected)
        // Which of two fields that disagree the proxy wrote cannot be told.
        #expect(try client([("Forwarded", value), ("X-Forwarded-For", "192.0.2.77")]) == nil)
        #expect(try client([("Forwarded", value), ("X-Forwarded-For", expected ?? "unknown")]) == expected)
    }
}
