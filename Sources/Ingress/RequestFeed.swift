import NIOCore
import NIOHTTP1

/// Stands between the socket and the decoder: feeds it received bytes in slices, and only while the connection takes
/// requests. What the decoder makes of a slice goes to ``Connection``, which is the next handler.
///
/// The decoder cannot be stopped within a buffer, so the slice is what bounds the requests decoded ahead of an answer.
/// The rest of a body of declared length is one slice, whatever its size.
/// Reads go on while an answer is awaited, so that a client which waits for its answer costs no change of the
/// selector's interest; they stop once bytes are waiting.
final class RequestFeed: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Also the most that is read from a socket at once.
    static let sliceBytes = 8 * 1024

    private let decoder: HTTPRequestDecoder
    private let connection: Connection
    /// Bytes a peer may have waiting behind an unanswered request. Reads stop long before; only the rest of a socket
    /// that its peer has half closed comes without being asked for.
    private let maxWaitingBytes: Int

    private var waiting = ByteBuffer()
    /// Bytes at the front of `waiting` that the decoder has seen: an unfinished field that it wants to see whole.
    private var seenBytes = 0
    private var context: ChannelHandlerContext?
    private var isFeeding = false
    private var isReadHeld = false
    private var hasFailed = false
    private var inputHasEnded = false
    private(set) var isReading = false

    init(connection: Connection, configuration: ListenerConfiguration) {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = configuration.maxHeaderFieldBytes
        limits.maxHeaderListSize = configuration.maxHeaderBytes
        limits.maxHeaderFieldCount = configuration.maxHeaderFields
        decoder = HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes, limitConfiguration: limits)
        self.connection = connection
        maxWaitingBytes = configuration.maxBodyBytes + configuration.maxHeaderBytes + 256 * 1024
    }

    /// Bytes have come that no request was made of yet.
    var hasWaitingBytes: Bool { waiting.readableBytes > 0 }

    /// The connection takes requests again.
    func resume() {
        guard let context, !isFeeding else { return }
        feed(context)
        if isReadHeld, waiting.readableBytes == seenBytes {
            isReadHeld = false
            context.read()
        }
    }

    private func feed(_ context: ChannelHandlerContext) {
        isFeeding = true
        while !hasFailed, waiting.readableBytes > seenBytes, connection.takesInput {
            let length = min(waiting.readableBytes, seenBytes + max(Self.sliceBytes, connection.missingBodyBytes))
            guard var slice = waiting.getSlice(at: waiting.readerIndex, length: length) else { break }
            decode(&slice, context)
            waiting.moveReaderIndex(forwardBy: length - slice.readableBytes)
            seenBytes = slice.readableBytes
        }
        if connection.discardsInput { hasFailed = true }
        if hasFailed || waiting.readableBytes == 0 {
            // Also lets go of the receive buffer.
            waiting = ByteBuffer()
            seenBytes = 0
        }
        isFeeding = false
        if inputHasEnded, waiting.readableBytes == seenBytes { finishInput(context) }
    }

    private func decode(_ slice: inout ByteBuffer, _ context: ChannelHandlerContext) {
        do {
            let partsBefore = connection.partCount
            let bytes = slice
            _ = try decoder.decode(context: context, buffer: &slice)
            if connection.partCount == partsBefore, connection.isIdle, !bytes.isLineEnds {
                connection.beganHead()
            }
        } catch {
            hasFailed = true
            connection.decodingFailed(error)
        }
    }

    private func finishInput(_ context: ChannelHandlerContext) {
        inputHasEnded = false
        connection.inputEnded()
    }

    // MARK: Inbound

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        decoder.decoderAdded(context: context)
        connection.added(context, feed: self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        decoder.decoderRemoved(context: context)
        connection.removed()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = Self.unwrapInboundIn(data)
        isReading = true
        connection.readBegan()
        if connection.discardsInput {
            connection.discarded(bytes.readableBytes)
            return
        }
        guard !hasFailed, !inputHasEnded else { return }
        if waiting.readableBytes == 0, connection.takesInput,
            bytes.readableBytes <= max(Self.sliceBytes, connection.missingBodyBytes)
        {
            isFeeding = true
            decode(&bytes, context)
            isFeeding = false
            if bytes.readableBytes > 0, !hasFailed {
                seenBytes = bytes.readableBytes
                waiting = bytes
            }
            return
        }
        if waiting.readableBytes == 0 { waiting = bytes } else { waiting.writeBuffer(&bytes) }
        feed(context)
        if waiting.readableBytes > maxWaitingBytes {
            hasFailed = true
            waiting = ByteBuffer()
            seenBytes = 0
            connection.failed(.overBudget)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        connection.readCompleted()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .some(.inputClosed) = event as? ChannelEvent else { return }
        isReading = false
        inputHasEnded = true
        if hasFailed || waiting.readableBytes == seenBytes { finishInput(context) }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { connection.takeInput() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        connection.channelClosed()
    }

    /// A reset or another fault of the socket; the channel closes by itself.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        connection.socketFailed(error)
    }

    // MARK: Outbound

    func read(context: ChannelHandlerContext) {
        if waiting.readableBytes > seenBytes, !hasFailed {
            isReadHeld = true
        } else {
            context.read()
        }
    }
}

extension ByteBuffer {
    /// Line ends between requests are no begin of a request (RFC 9112, 2.2).
    fileprivate var isLineEnds: Bool {
        readableBytesView.allSatisfy { $0 == UInt8(ascii: "\r") || $0 == UInt8(ascii: "\n") }
    }
}
