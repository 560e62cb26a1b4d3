package import NIOCore

/// A response, rendered to bytes when it is made. Make the frequent ones once and keep them: sending one then costs a
/// reference. Header values are the program's own words, never a client's.
package struct Response: Sendable {
    private let rendered: RenderedResponse

    package var status: ResponseStatus { rendered.status }

    /// An empty body.
    package init(status: ResponseStatus, headers: [(name: String, value: String)] = []) {
        rendered = RenderedResponse(status: status, contentType: nil, body: ByteBuffer(), headers: headers)
    }

    /// One line of `text/plain`; a line end is added, and line ends within become spaces.
    package init(status: ResponseStatus, text: String, headers: [(name: String, value: String)] = []) {
        var body = ByteBuffer()
        for byte in text.utf8 {
            body.writeInteger(byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") ? UInt8(ascii: " ") : byte)
        }
        body.writeInteger(UInt8(ascii: "\n"))
        rendered = RenderedResponse(
            status: status,
            contentType: "text/plain; charset=utf-8",
            body: body,
            headers: headers
        )
    }

    /// Any body. A large one is sent as it is, without a copy.
    package init(
        status: ResponseStatus,
        contentType: String,
        body: ByteBuffer,
        headers: [(name: String, value: String)] = []
    ) {
        rendered = RenderedResponse(status: status, contentType: contentType, body: body, headers: headers)
    }

    /// 200 with an empty body.
    package static let ok = Response(status: .ok)

    package static let notFound = Response(
        status: .notFound,
        text: "There is nothing at this address; check the path."
    )

    package static func methodNotAllowed(allow methods: String) -> Response {
        Response(
            status: .methodNotAllowed,
            text: "This address does not take this method; use \(methods).",
            headers: [("Allow", methods)]
        )
    }

    package static func serviceUnavailable(_ text: String, retryAfterSeconds: Int) -> Response {
        Response(status: .serviceUnavailable, text: text, headers: [("Retry-After", String(retryAfterSeconds))])
    }

    /// The bytes to write, and a second buffer where the body is too large to be kept with each form of the head.
    func bytes(_ persistence: Persistence, withoutBody: Bool) -> (ByteBuffer, ByteBuffer?) {
        let form =
            switch persistence {
            case .keepAlive: rendered.keepAlive
            case .keepAliveHTTP10: rendered.keepAliveHTTP10
            case .close: rendered.close
            }
        if withoutBody, form.headBytes < form.bytes.readableBytes {
            return (form.bytes.getSlice(at: form.bytes.readerIndex, length: form.headBytes) ?? form.bytes, nil)
        }
        return (form.bytes, withoutBody ? nil : rendered.separateBody)
    }
}

/// What the response says about the connection.
enum Persistence: Equatable {
    /// HTTP/1.1 keeps the connection without a word.
    case keepAlive
    /// An HTTP/1.0 client must be told.
    case keepAliveHTTP10
    case close
}

private final class RenderedResponse: Sendable {
    struct Form: Sendable {
        let bytes: ByteBuffer
        let headBytes: Int
    }

    /// A body up to this size is kept with each of the three heads, so that it leaves in one write.
    private static let inlineBodyBytes = 1024

    let status: ResponseStatus
    let keepAlive: Form
    let keepAliveHTTP10: Form
    let close: Form
    let separateBody: ByteBuffer?

    init(
        status: ResponseStatus,
        contentType: String?,
        body: ByteBuffer,
        headers: [(name: String, value: String)]
    ) {
        let body = status.hasBody ? body : ByteBuffer()
        let isInline = body.readableBytes <= Self.inlineBodyBytes
        func form(_ connection: StaticString?) -> Form {
            var bytes = ByteBuffer()
            bytes.reserveCapacity(256 + (isInline ? body.readableBytes : 0))
            bytes.writeStaticString("HTTP/1.1 ")
            bytes.writeString(String(status.code))
            bytes.writeStaticString(" ")
            bytes.writeStaticString(status.reasonPhrase)
            bytes.writeStaticString("\r\n")
            if status.hasBody {
                bytes.writeField("Content-Length", String(body.readableBytes))
            }
            if let contentType { bytes.writeField("Content-Type", contentType) }
            for (name, value) in headers { bytes.writeField(name, value) }
            if let connection {
                bytes.writeStaticString("Connection: ")
                bytes.writeStaticString(connection)
                bytes.writeStaticString("\r\n")
            }
            bytes.writeStaticString("\r\n")
            let headBytes = bytes.readableBytes
            if isInline { bytes.writeImmutableBuffer(body) }
            return Form(bytes: bytes, headBytes: headBytes)
        }
        self.status = status
        keepAlive = form(nil)
        keepAliveHTTP10 = form("keep-alive")
        close = form("close")
        separateBody = isInline ? nil : body
    }
}

extension ByteBuffer {
    /// Control characters are left out, so that no value can end its line.
    fileprivate mutating func writeField(_ name: String, _ value: String) {
        for byte in name.utf8 where byte > 0x20 && byte != 0x7F { writeInteger(byte) }
        writeStaticString(": ")
        for byte in value.utf8 where byte >= 0x20 && byte != 0x7F { writeInteger(byte) }
        writeStaticString("\r\n")
    }
}
