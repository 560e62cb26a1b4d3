import Foundation
import Testing

/// Requests whose length or end can be read in two ways, or not at all. A proxy in front may read them in the other way,
/// so nothing that follows such a request on its connection may ever be taken for a request.
@Suite(.serialized) struct FramingFaultTests {
    enum Outcome {
        /// These answers, and the connection is closed.
        case closed([Int])
        /// These answers, and the connection takes further requests.
        case open([Int])
    }

    struct Shape {
        let name: String
        let bytes: String
        let outcome: Outcome
        /// Numbers of events in it that are genuine, and arrive.
        var accepted: [String] = []
    }

    private static let line = "POST /b24/events HTTP/1.1\r\nHost: bridge\r\n"
    /// A whole event that looks genuine and must never be taken for one.
    private static let smuggled = post("smuggled")

    private static func form(_ number: String) -> String { SampleEvent.form(id: "99", number: number) }
    private static func post(_ number: String, _ fields: String = "", line: String = line) -> String {
        let body = form(number)
        return "\(line)\(fields)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }
    private static func chunk(_ text: String, _ suffix: String = "") -> String {
        String(text.utf8.count, radix: 16) + suffix + "\r\n\(text)\r\n"
    }
    private static func chunked(_ body: String) -> String { "\(line)Transfer-Encoding: chunked\r\n\r\n\(body)" }

    /// A head with these framing fields, an end of a chunked body, and the smuggled event behind it.
    private static func ambiguous(_ fields: String) -> String { "\(line)\(fields)\r\n\r\n0\r\n\r\n\(smuggled)" }

    private static let shapes: [Shape] = [
        // Two lengths.
        Shape(
            name: "Content-Length beside Transfer-Encoding",
            bytes: ambiguous("Content-Length: 5\r\nTransfer-Encoding: chunked"),
            outcome: .closed([400])
        ),
        Shape(
            name: "Transfer-Encoding beside Content-Length",
            bytes: ambiguous("Transfer-Encoding: chunked\r\nContent-Length: 5"),
            outcome: .closed([400])
        ),
        Shape(
            name: "Content-Length twice, differing",
            bytes: ambiguous("Content-Length: 5\r\nContent-Length: 400"),
            outcome: .closed([400])
        ),
        Shape(
            name: "Content-Length twice, the same",
            bytes: ambiguous("Content-Length: 5\r\nContent-Length: 5"),
            outcome: .closed([400])
        ),
        Shape(name: "Content-Length as a list", bytes: ambiguous("Content-Length: 5, 5"), outcome: .closed([400])),
        // Lengths that are no number.
        Shape(name: "Content-Length with a plus", bytes: ambiguous("Content-Length: +5"), outcome: .closed([400])),
        Shape(name: "Content-Length negative", bytes: ambiguous("Content-Length: -5"), outcome: .closed([400])),
        Shape(name: "Content-Length in hex", bytes: ambiguous("Content-Length: 0x5"), outcome: .closed([400])),
        Shape(name: "Content-Length empty", bytes: ambiguous("Content-Length: "), outcome: .closed([400])),
        Shape(
            name: "Content-Length with a space in it",
            bytes: ambiguous("Content-Length: 5 0"),
            outcome: .closed([400])
        ),
        Shape(
            name: "Content-Length of 2^64",
            bytes: ambiguous("Content-Length: 18446744073709551616"),
            outcome: .closed([400])
        ),
        Shape(
            name: "Content-Length of 2^64-1",
            bytes: ambiguous("Content-Length: 18446744073709551615"),
            outcome: .closed([400])
        ),
        Shape(
            name: "Content-Length of 2^63-1",
            bytes: ambiguous("Content-Length: 9223372036854775807"),
            outcome: .closed([413])
        ),
        // Transfer codings.
        Shape(
            name: "chunked, identity",
            bytes: ambiguous("Transfer-Encoding: chunked, identity"),
            outcome: .closed([400])
        ),
        Shape(name: "identity", bytes: ambiguous("Transfer-Encoding: identity"), outcome: .closed([501])),
        Shape(
            name: "identity, chunked",
            bytes: ambiguous("Transfer-Encoding: identity, chunked"),
            outcome: .closed([501])
        ),
        Shape(name: "gzip, chunked", bytes: ambiguous("Transfer-Encoding: gzip, chunked"), outcome: .closed([501])),
        Shape(
            name: "chunked on two lines",
            bytes: ambiguous("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
            outcome: .closed([400])
        ),
        Shape(
            name: "chunked, chunked",
            bytes: ambiguous("Transfer-Encoding: chunked, chunked"),
            outcome: .closed([400])
        ),
        Shape(
            name: "chunked on a folded line",
            bytes: ambiguous("Transfer-Encoding:\r\n chunked"),
            outcome: .closed([400])
        ),
        Shape(
            name: "chunked behind a vertical tab",
            bytes: ambiguous("Transfer-Encoding: \u{0B}chunked"),
            outcome: .closed([400])
        ),
        Shape(name: "chunked in quotes", bytes: ambiguous("Transfer-Encoding: \"chunked\""), outcome: .closed([501])),
        Shape(name: "xchunked", bytes: ambiguous("Transfer-Encoding: xchunked"), outcome: .closed([501])),
        Shape(
            name: "chunked with a parameter",
            bytes: ambiguous("Transfer-Encoding: chunked;q=1"),
            outcome: .closed([501])
        ),
        Shape(name: "chunked and a comma", bytes: ambiguous("Transfer-Encoding: chunked,"), outcome: .closed([400])),
        Shape(
            name: "chunked in HTTP/1.0",
            bytes: ambiguous("Transfer-Encoding: chunked").replacing("HTTP/1.1", with: "HTTP/1.0", maxReplacements: 1),
            outcome: .closed([400])
        ),
        Shape(
            name: "chunked behind a tab",
            bytes: "\(line)Transfer-Encoding:\tchunked\r\n\r\n" + chunk(form("kept-tab")) + "0\r\n\r\n"
                + post("kept-after-tab"),
            outcome: .open([200, 200]),
            accepted: ["kept-tab", "kept-after-tab"]
        ),
        Shape(
            name: "CHUNKED",
            bytes: "\(line)TRANSFER-ENCODING: CHUNKED\r\n\r\n" + chunk(form("kept-upper")) + "0\r\n\r\n"
                + post("kept-after-upper"),
            outcome: .open([200, 200]),
            accepted: ["kept-upper", "kept-after-upper"]
        ),
        // Lines.
        Shape(
            name: "a space before the colon of Transfer-Encoding",
            bytes: ambiguous("Transfer-Encoding : chunked"),
            outcome: .closed([400])
        ),
        Shape(
            name: "a space before the colon of Content-Length",
            bytes: ambiguous("Content-Length : 5"),
            outcome: .closed([400])
        ),
        Shape(
            name: "Content-Length on a folded line",
            bytes: ambiguous("Content-Length:\r\n 5"),
            outcome: .closed([400])
        ),
        Shape(
            name: "a folded line before Content-Length",
            bytes: ambiguous("X: a\r\n b\r\nContent-Length: 5"),
            outcome: .closed([400])
        ),
        Shape(
            name: "the first field on a folded line",
            bytes: "POST /b24/events HTTP/1.1\r\n Host: a\r\nContent-Length: 5\r\n\r\n0\r\n\r\n\(smuggled)",
            outcome: .closed([400])
        ),
        Shape(name: "bare line feeds", bytes: smuggled.replacing("\r\n", with: "\n"), outcome: .closed([505])),
        Shape(name: "a bare carriage return", bytes: ambiguous("X: a\rContent-Length: 5"), outcome: .closed([400])),
        Shape(name: "NUL in a value", bytes: ambiguous("X: a\u{0}b\r\nContent-Length: 5"), outcome: .closed([400])),
        Shape(name: "NUL in a name", bytes: ambiguous("X\u{0}: a\r\nContent-Length: 5"), outcome: .closed([400])),
        Shape(
            name: "NUL in the target",
            bytes: smuggled.replacing("/b24/events", with: "/b24/events\u{0}"),
            outcome: .closed([400])
        ),
        Shape(
            name: "a line without a colon",
            bytes: ambiguous("garbage\r\nContent-Length: 5"),
            outcome: .closed([400])
        ),
        Shape(name: "a field without a name", bytes: ambiguous(": x\r\nContent-Length: 5"), outcome: .closed([400])),
        Shape(
            name: "a space in the target",
            bytes: smuggled.replacing("/b24/events", with: "/b24/events x"),
            outcome: .closed([400])
        ),
        Shape(
            name: "a space behind the version",
            bytes: smuggled.replacing("HTTP/1.1", with: "HTTP/1.1 "),
            outcome: .closed([505])
        ),
        Shape(name: "a method in lower case", bytes: smuggled.replacing("POST", with: "post"), outcome: .closed([400])),
        Shape(
            name: "a name that is nearly Transfer-Encoding",
            bytes: post("kept-nearly", "Transfer_Encoding: chunked\r\n") + post("kept-after-nearly"),
            outcome: .open([200, 200]),
            accepted: ["kept-nearly", "kept-after-nearly"]
        ),
        Shape(
            name: "empty lines first",
            bytes: "\r\n\r\n" + post("kept-empty-lines"),
            outcome: .open([200]),
            accepted: ["kept-empty-lines"]
        ),
        // Chunks.
        Shape(name: "a chunk size that is no number", bytes: chunked("zz\r\n\(smuggled)"), outcome: .closed([400])),
        Shape(
            name: "a chunk size with 0x",
            bytes: chunked("0x5\r\nabcde\r\n0\r\n\r\n\(smuggled)"),
            outcome: .closed([400])
        ),
        Shape(name: "a negative chunk size", bytes: chunked("-1\r\n\(smuggled)"), outcome: .closed([400])),
        Shape(
            name: "a chunk size beyond 64 bits",
            bytes: chunked("10000000000000000\r\n\(smuggled)"),
            outcome: .closed([400])
        ),
        Shape(
            name: "a chunk size of 2^64-1",
            bytes: chunked("ffffffffffffffff\r\n\(smuggled)"),
            outcome: .closed([408])
        ),
        Shape(
            name: "a chunk longer than its size",
            bytes: chunked("3\r\nabcdef\r\n0\r\n\r\n\(smuggled)"),
            outcome: .closed([400])
        ),
        Shape(
            name: "a space behind a chunk size",
            bytes: chunked(chunk(form("smuggled"), " ") + "0\r\n\r\n\(smuggled)"),
            outcome: .closed([400])
        ),
        Shape(
            name: "a line feed in a chunk extension",
            bytes: chunked(chunk(form("smuggled"), ";a\nb") + "0\r\n\r\n\(smuggled)"),
            outcome: .closed([400])
        ),
        Shape(
            name: "chunk lines ended by line feeds",
            bytes: chunked((chunk(form("smuggled")) + "0\r\n\r\n").replacing("\r\n", with: "\n") + smuggled),
            outcome: .closed([400])
        ),
        Shape(
            name: "a chunk line ended by a carriage return",
            bytes: chunked("5\rabcde\r\n0\r\n\r\n\(smuggled)"),
            outcome: .closed([400])
        ),
        Shape(
            name: "a chunk extension",
            bytes: chunked(chunk(form("kept-extension"), ";a=b") + "0\r\n\r\n") + post("kept-after-extension"),
            outcome: .open([200, 200]),
            accepted: ["kept-extension", "kept-after-extension"]
        ),
        Shape(
            name: "Content-Length as a trailer",
            bytes: chunked("0\r\nContent-Length: 500\r\n\r\n\(smuggled)"),
            outcome: .closed([400])
        ),
        Shape(
            name: "Transfer-Encoding as a trailer",
            bytes: chunked("0\r\nTransfer-Encoding: chunked\r\n\r\n\(smuggled)"),
            outcome: .closed([400])
        ),
        Shape(
            name: "too many trailers",
            bytes: chunked("0\r\n" + String(repeating: "A: b\r\n", count: 100) + "\r\n\(smuggled)"),
            outcome: .closed([431])
        ),
        // Sizes.
        Shape(
            name: "a field of 9,000 bytes",
            bytes: ambiguous("X: " + String(repeating: "a", count: 9000)),
            outcome: .closed([431])
        ),
        Shape(
            name: "a target of 9,000 bytes",
            bytes: smuggled.replacing("/b24/events", with: "/b24/events/" + String(repeating: "a", count: 9000)),
            outcome: .closed([431])
        ),
        Shape(
            name: "100 fields",
            bytes: ambiguous(String(repeating: "X: a\r\n", count: 100) + "Content-Length: 5"),
            outcome: .closed([431])
        ),
        Shape(
            name: "a head without an end",
            bytes: line + String(repeating: "X: aaaaaaaaaaaaaaaaaaaaaaaa\r\n", count: 4000),
            outcome: .closed([431])
        ),
        Shape(name: "a method without an end", bytes: String(repeating: "A", count: 100_000), outcome: .closed([400])),
        Shape(
            name: "a body over the limit",
            bytes: "\(line)Content-Length: 1048577\r\n\r\n" + String(repeating: "a", count: 1_048_577) + smuggled,
            outcome: .closed([413])
        ),
        Shape(
            name: "chunks over the limit",
            bytes: chunked(
                String(repeating: chunk(String(repeating: "a", count: 65536)), count: 17) + "0\r\n\r\n\(smuggled)"
            ),
            outcome: .closed([413])
        ),
        // Targets, methods and versions.
        Shape(
            name: "a target in absolute form",
            bytes: post("kept-absolute", line: "POST http://elsewhere/b24/events HTTP/1.1\r\nHost: bridge\r\n"),
            outcome: .open([200]),
            accepted: ["kept-absolute"]
        ),
        Shape(
            name: "a target in absolute form, another path",
            bytes: post("smuggled", line: "POST http://bridge/other HTTP/1.1\r\nHost: bridge\r\n") + smuggled,
            outcome: .closed([404])
        ),
        Shape(
            name: "CONNECT",
            bytes: "CONNECT bridge:80 HTTP/1.1\r\nHost: bridge\r\n\r\n\(smuggled)",
            outcome: .closed([404])
        ),
        Shape(
            name: "CONNECT to the address of events",
            bytes: "CONNECT /b24/events HTTP/1.1\r\nHost: bridge\r\nContent-Length: 0\r\n\r\n\(smuggled)",
            outcome: .closed([405])
        ),
        Shape(
            name: "an upgrade",
            bytes: post("kept-upgrade", "Connection: Upgrade\r\nUpgrade: h2c\r\n") + smuggled,
            outcome: .closed([200]),
            accepted: ["kept-upgrade"]
        ),
        Shape(
            name: "the preface of HTTP/2",
            bytes: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\(smuggled)",
            outcome: .closed([400])
        ),
        Shape(name: "HTTP/0.9", bytes: "POST /b24/events\r\n\r\n\(smuggled)", outcome: .closed([505])),
        Shape(name: "HTTP/2.0", bytes: smuggled.replacing("HTTP/1.1", with: "HTTP/2.0"), outcome: .closed([505])),
        Shape(
            name: "a TLS greeting",
            bytes: "\u{16}\u{03}\u{01}\u{02}\u{00}\u{01}\u{00}\u{01}",
            outcome: .closed([400])
        ),
        Shape(
            name: "GET with an event as its body",
            bytes:
                "GET /b24/events HTTP/1.1\r\nHost: bridge\r\nContent-Length: \(smuggled.utf8.count)\r\n\r\n\(smuggled)",
            outcome: .closed([200])
        ),
        Shape(
            name: "HEAD with an event as its body",
            bytes:
                "HEAD /b24/events HTTP/1.1\r\nHost: bridge\r\nContent-Length: \(smuggled.utf8.count)\r\n\r\n\(smuggled)",
            outcome: .closed([200])
        ),
        Shape(
            name: "another path with an event as its body",
            bytes: "POST /x HTTP/1.1\r\nHost: bridge\r\nContent-Length: \(smuggled.utf8.count)\r\n\r\n\(smuggled)",
            outcome: .closed([404])
        ),
        Shape(
            name: "a request behind Connection: close",
            bytes: post("kept-close", "Connection: close\r\n") + smuggled,
            outcome: .closed([200]),
            accepted: ["kept-close"]
        ),
        // Host is not used for anything, so an event is not lost over it.
        Shape(
            name: "no Host",
            bytes: post("kept-no-host", line: "POST /b24/events HTTP/1.1\r\n"),
            outcome: .open([200]),
            accepted: ["kept-no-host"]
        ),
        Shape(
            name: "two Hosts",
            bytes: post("kept-two-hosts", "Host: other\r\n"),
            outcome: .open([200]),
            accepted: ["kept-two-hosts"]
        ),
        Shape(
            name: "Expect: 100-continue",
            bytes: post("kept-expect", "Expect: 100-continue\r\n") + post("kept-after-expect"),
            outcome: .open([100, 200, 200]),
            accepted: ["kept-expect", "kept-after-expect"]
        ),
    ]

    @Test func nothingBehindAnAmbiguousRequestIsARequest() async throws {
        var setup = try Setup()
        setup.settings["http"] = ["requestTimeout": "1s"]
        try await Siege.run("framing", setup, memoryMiB: 48) { siege in
            try await onThread { try Self.shapes.forEach { try Self.expect($0, port: siege.port) } }
            let closing = Self.shapes.count { if case .closed = $0.outcome { true } else { false } }
            return Siege.Report(
                figures: "\(Self.shapes.count) shapes, \(closing) of them closed, nothing behind them taken",
                accepted: Set(Self.shapes.flatMap(\.accepted))
            )
        }
    }

    private static func expect(_ shape: Shape, port: Int) throws {
        let connection = try RawConnection(port: port)
        connection.send(shape.bytes)
        switch shape.outcome {
        case .closed(let statuses):
            #expect(connection.outcome() == .init(statuses: statuses, isClosed: true), "\(shape.name)")
        case .open(let statuses):
            #expect(
                connection.outcome(answers: statuses.count) == .init(statuses: statuses, isClosed: false),
                "\(shape.name)"
            )
            connection.send("GET /b24/events HTTP/1.1\r\nHost: bridge\r\n\r\n")
            let all = RawConnection.Outcome(statuses: statuses + [200], isClosed: false)
            #expect(connection.outcome(answers: statuses.count + 1) == all, "\(shape.name)")
        }
    }
}
