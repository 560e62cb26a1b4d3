import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import Ingress

@Suite struct ConnectionTests {
    @Test func `a request is handed over whole and answered with prepared bytes`() throws {
        let connection = try EmbeddedConnection()
        #expect(try connection.send(post("a=1", path: "/b24/events?x=2")) == ok)
        #expect(connection.handler.seen == [.init(method: .POST, path: "/b24/events", body: "a=1")])
        #expect(connection.isOpen)
        #expect(try connection.send(post("b=2")) == ok)
    }

    @Test func `a request may come byte by byte`() throws {
        let connection = try EmbeddedConnection()
        let whole = post("event=ONAPPTEST&x=y", "X-Long: " + String(repeating: "v", count: 300) + "\r\n")
        var output = ""
        for byte in whole.utf8 { output += try connection.send(String(UnicodeScalar(byte))) }
        #expect(output == ok)
        #expect(connection.handler.seen.map(\.body) == ["event=ONAPPTEST&x=y"])
    }

    @Test func `a large body comes together from many pieces`() throws {
        let connection = try EmbeddedConnection()
        let body = String((0..<100_000).map { Character(UnicodeScalar(UInt8(97 + $0 % 26))) })
        let whole = Array(post(body).utf8)
        var output = ""
        for start in stride(from: 0, to: whole.count, by: 7_777) {
            let piece = whole[start..<min(start + 7_777, whole.count)]
            output += try connection.send(String(decoding: piece, as: UTF8.self))
        }
        #expect(output == ok)
        #expect(connection.handler.seen.map(\.body) == [body])
        #expect(connection.counters.snapshot.bufferedBodyBytes == 0)
    }

    @Test func `a chunked body with extensions and trailers is put together`() throws {
        let connection = try EmbeddedConnection()
        let head = "POST /e HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
        #expect(try connection.send(head + "3;n=v\r\nabc\r\n2\r\nde\r\n0\r\nX-T: 1\r\n\r\n" + post("f")) == ok + ok)
        #expect(connection.handler.seen.map(\.body) == ["abcde", "f"])
    }

    @Test func `pipelined requests are answered in order, one at a time`() throws {
        let connection = try EmbeddedConnection()
        connection.handler.answer = nil
        #expect(try connection.send(post("1") + post("2") + post("3")).isEmpty)
        for number in 1...3 {
            #expect(connection.handler.seen.map(\.body) == (1...number).map(String.init))
            connection.handler.pending.removeFirst().respond(.ok)
            #expect(try connection.run() == ok)
        }
    }

    @Test func `a thousand small pipelined requests are all answered while few are decoded ahead`() throws {
        let connection = try EmbeddedConnection()
        connection.handler.answer = nil
        try connection.send(String(repeating: "GET / HTTP/1.1\r\n\r\n", count: 2_000))
        var answers = 0
        while let responder = connection.handler.pending.popLast() {
            responder.respond(.ok)
            #expect(try connection.run() == ok)
            answers += 1
        }
        #expect(answers == 2_000)
    }

    @Test func `an owner that hangs up answers nothing, and what came behind is not handed over`() throws {
        let connection = try EmbeddedConnection()
        connection.handler.answer = nil
        try connection.send(post("1") + post("2"))
        let responder = connection.handler.pending[0]
        responder.hangUp()
        #expect(try connection.run() == "")
        #expect(!connection.isOpen)
        #expect(connection.handler.seen.count == 1)
        #expect(connection.counters.snapshot.bufferedBodyBytes == 0)
        responder.respond(.ok)
        #expect(try connection.output() == "")
    }

    @Test func `an owner cannot hang up on what is answered`() throws {
        let connection = try EmbeddedConnection()
        connection.handler.answer = nil
        try connection.send(post("1"))
        let responder = connection.handler.pending[0]
        responder.respond(.ok)
        responder.hangUp()
        #expect(try connection.run() == ok)
        #expect(connection.isOpen)
    }

    @Test func `the owner is never called from within its own answer`() throws {
        let connection = try EmbeddedConnection()
        connection.handler.answer = nil
        try connection.send(post("1") + post("2"))
        connection.handler.pending[0].respond(.ok)
        #expect(connection.handler.seen.count == 1)
        #expect(try connection.run() == ok)
        #expect(connection.handler.seen.count == 2)
    }

    @Test func `a second answer and an answer after the end do nothing`() throws {
        let connection = try EmbeddedConnection()
        connection.handler.answer = nil
        try connection.send(post("1"))
        let first = connection.handler.pending[0]
        first.respond(.ok)
        #expect(try connection.output() == ok)
        first.respond(.ok)
        try connection.send(post("2"))
        first.respond(.notFound)
        #expect(try connection.output().isEmpty)
        _ = try connection.channel.finish()
        connection.handler.pending[1].respond(.ok)
        #expect(connection.counters.snapshot.bufferedBodyBytes == 0)
    }

    @Test func `HTTP 1.0 closes unless it asks to be kept`() throws {
        let first = try EmbeddedConnection()
        #expect(try first.send("GET /e HTTP/1.0\r\n\r\n") == okClose)
        #expect(!first.isOpen)
        let second = try EmbeddedConnection()
        let kept = "POST /e HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx"
        #expect(try second.send(kept) == okKeepAlive)
        #expect(try second.send(kept) == okKeepAlive)
        #expect(second.isOpen)
    }

    @Test func `a client that asks for it gets the connection closed`() throws {
        let connection = try EmbeddedConnection()
        #expect(try connection.send(post("x", "Connection: close\r\n")) == okClose)
        #expect(!connection.isOpen)
    }

    @Test func `an upgrade is not taken up and ends the connection`() throws {
        let connection = try EmbeddedConnection()
        let fields = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
        #expect(try connection.send(post("x", fields)) == okClose)
        #expect(connection.handler.seen.map(\.body) == ["x"])
    }

    @Test func `the answer to HEAD has the length but not the body`() throws {
        let connection = try EmbeddedConnection()
        connection.handler.answer = { _ in .notFound }
        let whole = try connection.send("GET / HTTP/1.1\r\n\r\n")
        let head = try connection.send("HEAD / HTTP/1.1\r\n\r\n")
        #expect(head.hasSuffix("\r\n\r\n"))
        #expect(whole.hasPrefix(head) && whole.count > head.count)
        connection.handler.answer = { _ in
            Response(status: 200, contentType: "text/html", body: ByteBuffer(repeating: 0x61, count: 5_000))
        }
        #expect(try connection.send("HEAD / HTTP/1.1\r\n\r\n").contains("Content-Length: 5000\r\n"))
        #expect(try connection.send("GET / HTTP/1.1\r\n\r\n").hasSuffix(String(repeating: "a", count: 5_000)))
    }

    @Test func `a request without a body that is answered at its head keeps the connection`() throws {
        let connection = try EmbeddedConnection()
        connection.handler.decision = { _ in .respond(.ok) }
        #expect(try connection.send("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n") == ok + ok)
        #expect(connection.isOpen)
        #expect(connection.handler.seen.isEmpty)
    }

    @Test func `a request with a body that is answered at its head ends the connection`() throws {
        let connection = try EmbeddedConnection()
        connection.handler.decision = { _ in .respond(.methodNotAllowed(allow: "GET")) }
        let output = try connection.send("POST / HTTP/1.1\r\nContent-Length: 1000\r\n\r\nabc")
        #expect(output.hasPrefix("HTTP/1.1 405 Method Not Allowed\r\n"))
        #expect(output.contains("\r\nAllow: GET\r\n") && output.contains("\r\nConnection: close\r\n"))
        #expect(!connection.isOpen)
        #expect(connection.handler.reasons.isEmpty)
    }

    @Test func `an expectation is met before the body, or answered with the final status`() throws {
        let fields = "Expect: 100-continue\r\n"
        let head = "POST /e HTTP/1.1\r\nContent-Length: 3\r\n\(fields)\r\n"
        let taken = try EmbeddedConnection()
        #expect(try taken.send(head) == "HTTP/1.1 100 Continue\r\n\r\n")
        #expect(try taken.send("abc") == ok)
        let refused = try EmbeddedConnection()
        refused.handler.decision = { _ in .respond(.notFound) }
        #expect(try refused.send(head).hasPrefix("HTTP/1.1 404 Not Found\r\n"))
        let tooLarge = try EmbeddedConnection { $0.maxBodyBytes = 2 }
        #expect(try tooLarge.send(head).hasPrefix("HTTP/1.1 413 Content Too Large\r\n"))
        let old = try EmbeddedConnection()
        #expect(try old.send("POST /e HTTP/1.0\r\nContent-Length: 3\r\n\(fields)\r\n").isEmpty)
    }

    @Test func `the absolute form of the target loses scheme and authority`() throws {
        let connection = try EmbeddedConnection()
        try connection.send("GET http://a.example:80/b24/events?q=/x HTTP/1.1\r\nHost: a\r\n\r\n")
        try connection.send("GET http://a.example?q HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(connection.handler.seen.map(\.path) == ["/b24/events", ""])
    }

    @Test func `line ends between requests are skipped and begin none`() throws {
        let connection = try EmbeddedConnection { $0.requestTimeout = .seconds(1) }
        #expect(try connection.send(post("1") + "\r\n") == ok)
        try connection.send("\r\n")
        #expect(try connection.pass(.seconds(3)).isEmpty)
        #expect(try connection.send(post("2")) == ok)
    }

    @Test func `a half-closed client gets its answers`() throws {
        let connection = try EmbeddedConnection()
        connection.handler.answer = nil
        try connection.send(post("1") + post("2"))
        #expect(try connection.endInput().isEmpty)
        connection.handler.pending[0].respond(.ok)
        #expect(try connection.run() == ok)
        connection.handler.pending[1].respond(.ok)
        #expect(try connection.run() == okClose)
        #expect(!connection.isOpen)
    }

    @Test func `an idle client that ends its side is let go without a word`() throws {
        let connection = try EmbeddedConnection()
        #expect(try connection.endInput().isEmpty)
        #expect(!connection.isOpen)
        #expect(connection.handler.reasons.isEmpty)
    }
}
