import NIOCore
import NIOEmbedded
import Testing

@testable import Ingress

@Suite struct ConnectionRefusalTests {
    @Test(arguments: [
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        "Content-Length: 3, 3\r\n\r\nabc",
        "Content-Length: +3\r\n\r\nabc",
        "Content-Length: 0x3\r\n\r\nabc",
        "Content-Length: -3\r\n\r\nabc",
        "Content-Length: 3 3\r\n\r\nabc",
        "Content-Length: 99999999999999999999999\r\n\r\nabc",
        "Content-Length: 18446744073709551615\r\n\r\nabc",
        "Content-Length : 3\r\n\r\nabc",
        " Content-Length: 3\r\n\r\nabc",
        "X-Folded: a\r\n b\r\nContent-Length: 3\r\n\r\nabc",
        "X-Folded: a\r\n\tContent-Length: 3\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nZ\r\nabc\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nabc\r\n0\r\n\r\n",
        "Transfer-Encoding: xchunked\r\nX: \0\r\n\r\n",
        "Content-Length: 3\nX: y\r\n\r\nabc",
        "X: a\rb\r\nContent-Length: 3\r\n\r\nabc",
        "X\0Y: a\r\nContent-Length: 3\r\n\r\nabc",
        ": empty\r\nContent-Length: 3\r\n\r\nabc",
        "No colon\r\nContent-Length: 3\r\n\r\nabc",
    ])
    func `framing that allows two readings gets one 400`(_ rest: String) throws {
        let connection = try EmbeddedConnection()
        let output = try connection.send("POST /e HTTP/1.1\r\nHost: a\r\n" + rest + post("smuggled"))
        #expect(output.hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
        #expect(output.contains("\r\nConnection: close\r\n"))
        #expect(output.split(separator: "HTTP/1.1", omittingEmptySubsequences: true).count <= 2)
        #expect(!connection.isOpen)
        #expect(connection.handler.seen.isEmpty)
        #expect(connection.handler.reasons == [.malformed])
    }

    @Test(arguments: [
        ("gzip, chunked", "1.1", Refusal.Reason.unsupportedTransferCoding),
        ("chunked", "1.0", .malformed),
    ])
    func `a transfer coding other than chunked is refused`(
        _ coding: String,
        _ version: String,
        _ reason: Refusal.Reason
    )
        throws
    {
        let connection = try EmbeddedConnection()
        let head = "POST /e HTTP/\(version)\r\nHost: a\r\nTransfer-Encoding: \(coding)\r\n\r\n"
        #expect(try connection.send(head + "0\r\n\r\n").hasPrefix("HTTP/1.1 \(reason.response.status.code) "))
        #expect(connection.handler.reasons == [reason])
        #expect(connection.handler.seen.isEmpty)
    }

    @Test(arguments: [
        ("garbage\r\n\r\n", Refusal.Reason.malformed),
        ("\u{16}\u{3}\u{1}\u{2}\0", .malformed),
        ("GET / HTTP/2.0\r\n\r\n", .unsupportedVersion),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .malformed),
    ])
    func `what is not HTTP 1 is refused`(_ bytes: String, _ reason: Refusal.Reason) throws {
        let connection = try EmbeddedConnection()
        let output = try connection.send(bytes)
        #expect(output.hasPrefix("HTTP/1.1 \(reason.response.status.code) "))
        #expect(connection.handler.reasons == [reason])
        #expect(!connection.isOpen)
    }

    @Test func `no answer repeats what the client sent`() throws {
        let canary = "c4n4ry"
        for bytes in ["\(canary) / HTTP/1.1\r\n\r\n", "GET /\(canary)\0 HTTP/1.1\r\n\r\n", post("x", "\(canary)\r\n")] {
            let output = try EmbeddedConnection().send(bytes)
            #expect(output.hasPrefix("HTTP/1.1 400 "))
            #expect(!output.contains(canary))
        }
    }

    @Test func `a body declared over the limit is refused at its head`() throws {
        let connection = try EmbeddedConnection { $0.maxBodyBytes = 10 }
        #expect(try connection.send(post("0123456789")) == ok)
        let output = try connection.send("POST /e HTTP/1.1\r\nContent-Length: 11\r\n\r\n")
        #expect(output.hasPrefix("HTTP/1.1 413 Content Too Large\r\n"))
        #expect(connection.handler.reasons == [.bodyTooLarge])
        #expect(connection.handler.refusals.first?.contentLength == 11)
        #expect(connection.handler.seen.count == 1)
    }

    @Test func `a chunked body is refused when it passes the limit`() throws {
        let connection = try EmbeddedConnection { $0.maxBodyBytes = 10 }
        let head = "POST /e HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        #expect(try connection.send(head + "a\r\n0123456789\r\n").isEmpty)
        #expect(try connection.send("1\r\nx\r\n").hasPrefix("HTTP/1.1 413 "))
        #expect(connection.counters.snapshot.bufferedBodyBytes == 0)
    }

    @Test func `header limits are kept`() throws {
        let field = "X: " + String(repeating: "v", count: 9_000) + "\r\n"
        let medium = (0..<6).map { "X\($0): " + String(repeating: "v", count: 6_000) + "\r\n" }.joined()
        let many = String(repeating: "a: b\r\n", count: 70)
        let target = "GET /" + String(repeating: "p", count: 9_000) + " HTTP/1.1\r\n\r\n"
        for bytes in [post("x", field), post("x", medium), post("x", many), target] {
            let connection = try EmbeddedConnection()
            #expect(try connection.send(bytes).hasPrefix("HTTP/1.1 431 "))
            #expect(connection.handler.reasons == [.headersTooLarge])
        }
    }

    @Test func `bodies beyond the budget get 503 until others are answered`() throws {
        let connection = try EmbeddedConnection { $0.maxBufferedBodyBytes = 10 }
        connection.handler.answer = nil
        try connection.send(post("12345678"))
        #expect(connection.counters.snapshot.bufferedBodyBytes == 8)
        #expect(!connection.counters.chargeBody(3))
        connection.handler.pending[0].respond(.ok)
        #expect(connection.counters.chargeBody(3))
        #expect(try connection.output() == ok)
        let output = try connection.send(post("12345678"))
        #expect(output.hasPrefix("HTTP/1.1 503 Service Unavailable\r\n") && output.contains("\r\nRetry-After: 5\r\n"))
        #expect(connection.handler.reasons == [.overBudget])
        #expect(connection.counters.snapshot.bufferedBodyBytes == 3)
    }

    @Test func `a body whose client has gone stays in the budget until it is answered or dropped`() throws {
        for isAnswered in [true, false] {
            let connection = try EmbeddedConnection()
            connection.handler.answer = nil
            try connection.send(post("12345678"))
            _ = try connection.channel.finish()
            #expect(connection.counters.snapshot.bufferedBodyBytes == 8)
            if isAnswered { connection.handler.pending[0].respond(.ok) }
            connection.handler.pending.removeAll()
            #expect(connection.counters.snapshot.bufferedBodyBytes == 0)
        }
    }

    @Test func `a request that drips is ended by its absolute deadline`() throws {
        let connection = try EmbeddedConnection { $0.requestTimeout = .seconds(2) }
        var output = try connection.send("POST /e HTTP/1.1\r\nContent-Length: 100\r\nX: ")
        for _ in 0..<4 {
            output += try connection.pass(.milliseconds(450))
            output += try connection.send("y")
        }
        #expect(output.isEmpty)
        #expect(try connection.pass(.milliseconds(450)).hasPrefix("HTTP/1.1 408 Request Timeout\r\n"))
        #expect(!connection.isOpen)
        #expect(connection.handler.reasons == [.timedOut])
    }

    @Test func `the deadline runs from the first byte of the head into the body`() throws {
        let connection = try EmbeddedConnection { $0.requestTimeout = .seconds(2) }
        try connection.send("POST /e HT")
        #expect(try connection.pass(.milliseconds(1_500)).isEmpty)
        try connection.send("TP/1.1\r\nContent-Length: 3\r\n\r\na")
        #expect(try connection.pass(.milliseconds(700)).hasPrefix("HTTP/1.1 408 "))
    }

    @Test func `a connection between requests is closed without a word`() throws {
        let connection = try EmbeddedConnection { $0.idleTimeout = .seconds(5) }
        #expect(try connection.pass(.seconds(4)).isEmpty)
        #expect(try connection.send(post("x")) == ok)
        #expect(try connection.pass(.milliseconds(4_700)).isEmpty)
        #expect(connection.isOpen)
        #expect(try connection.pass(.milliseconds(600)).isEmpty)
        #expect(!connection.isOpen)
        #expect(connection.handler.reasons.isEmpty)
    }

    @Test func `at the connection limit a connection without a request goes early`() throws {
        let connection = try EmbeddedConnection { $0.idleTimeout = .seconds(75) }
        connection.counters.reachedConnectionLimit()
        #expect(try connection.send(post("x")) == ok)
        #expect(try connection.pass(.milliseconds(1_700)).isEmpty)
        #expect(connection.isOpen)
        _ = try connection.pass(.milliseconds(600))
        #expect(!connection.isOpen)
        let unused = try EmbeddedConnection { $0.idleTimeout = .seconds(75) }
        unused.counters.reachedConnectionLimit()
        #expect(try unused.pass(.milliseconds(450)).isEmpty)
        #expect(unused.isOpen)
        _ = try unused.pass(.milliseconds(300))
        #expect(!unused.isOpen)
        #expect(unused.handler.reasons.isEmpty)
    }

    @Test func `at the connection limit a connection with a request stays`() throws {
        let connection = try EmbeddedConnection()
        connection.counters.reachedConnectionLimit()
        connection.handler.answer = nil
        try connection.send(post("abc"))
        #expect(try connection.pass(.seconds(3)).isEmpty)
        #expect(connection.isOpen)
        connection.handler.pending[0].respond(.ok)
        #expect(try connection.output() == ok)
        _ = try connection.pass(.milliseconds(1_700))
        #expect(connection.isOpen)
    }

    @Test func `an owner that does not answer is answered for`() throws {
        let connection = try EmbeddedConnection { $0.answerTimeout = .seconds(3) }
        connection.handler.answer = nil
        try connection.send(post("abc"))
        #expect(try connection.pass(.milliseconds(2_900)).isEmpty)
        #expect(try connection.pass(.milliseconds(400)).hasPrefix("HTTP/1.1 503 "))
        #expect(connection.handler.reasons == [.answerOverdue])
        #expect(connection.counters.snapshot.bufferedBodyBytes == 3)
        #expect(!connection.handler.pending[0].respond(.ok), "the owner learns that it was answered for")
        #expect(try connection.output().isEmpty)
        #expect(connection.counters.snapshot.bufferedBodyBytes == 0)
    }

    @Test func `an answer whose client has gone is still the owner's`() throws {
        let connection = try EmbeddedConnection()
        connection.handler.answer = nil
        try connection.send(post("abc"))
        _ = try connection.channel.finish()
        #expect(connection.handler.pending[0].respond(.ok))
        #expect(connection.handler.reasons.isEmpty)
    }

    @Test func `a request cut short by the client is refused`() throws {
        let connection = try EmbeddedConnection()
        try connection.send("POST /e HTTP/1.1\r\nContent-Length: 100\r\n\r\nabc")
        #expect(try connection.endInput().hasPrefix("HTTP/1.1 400 "))
        #expect(connection.handler.reasons == [.truncated])
        #expect(connection.counters.snapshot.bufferedBodyBytes == 0)
        let gone = try EmbeddedConnection()
        try gone.send("POST /e HTTP/1.1\r\nContent-Le")
        _ = try gone.channel.finish()
        #expect(gone.handler.reasons == [.truncated])
    }

    @Test func `what is malformed behind a request waits for the request's answer`() throws {
        let connection = try EmbeddedConnection()
        connection.handler.answer = nil
        #expect(try connection.send(post("1") + "garbage\r\n\r\n").isEmpty)
        connection.handler.pending[0].respond(.ok)
        let output = try connection.run()
        #expect(output.hasPrefix(ok + "HTTP/1.1 400 "))
        #expect(connection.handler.reasons == [.malformed])
    }

    @Test func `bytes behind a request that asked to close are nobody's request`() throws {
        let connection = try EmbeddedConnection()
        connection.handler.answer = nil
        try connection.send(post("1", "Connection: close\r\n") + post("2"))
        connection.handler.pending[0].respond(.ok)
        #expect(try connection.run() == okClose)
        #expect(connection.handler.seen.count == 1)
        #expect(connection.handler.reasons.isEmpty)
    }
}
