import NIOCore

#if os(Linux)
    /// What shutdown asks of a listening TCP socket. Linux resets the connections in the accept queue of a socket that is
    /// closed, so the queue has to be empty then, and to stay empty.
    enum ListenSocket {
        /// Drops new connection attempts unheard while those under way complete and reach the accept queue. The client
        /// repeats its attempt after a second and is refused then, as it would be by a closed port.
        ///
        /// A socket filter sees a segment from its TCP header on: byte 13 holds the flags. Accepted connections inherit
        /// the filter; it passes everything they carry.
        static func dropNewAttempts(_ channel: any Channel) -> EventLoopFuture<Void> {
            guard let socket = channel as? any SocketOptionProvider else {
                return channel.eventLoop.makeFailedFuture(ChannelError.operationUnsupported)
            }
            let instructions = [
                // Load the flags, keep SYN and ACK of them.
                FilterInstruction(code: 0x30, ifTrue: 0, ifFalse: 0, operand: 13),
                FilterInstruction(code: 0x54, ifTrue: 0, ifFalse: 0, operand: 0x12),
                // SYN alone: drop. All else: pass.
                FilterInstruction(code: 0x15, ifTrue: 0, ifFalse: 1, operand: 0x02),
                FilterInstruction(code: 0x06, ifTrue: 0, ifFalse: 0, operand: 0),
                FilterInstruction(code: 0x06, ifTrue: 0, ifFalse: 0, operand: .max),
            ]
            let program = UnsafeMutableBufferPointer<FilterInstruction>.allocate(capacity: instructions.count)
            _ = program.initialize(from: instructions)
            // The kernel copies the program during the call.
            let filter = FilterProgram(count: UInt16(program.count), address: UInt(bitPattern: program.baseAddress))
            let attached = socket.unsafeSetSocketOption(level: .socket, name: attachFilter, value: filter)
            attached.whenComplete { _ in
                UnsafeMutablePointer<FilterInstruction>(bitPattern: filter.address)?.deallocate()
            }
            return attached
        }

        /// Connections that are established and wait to be accepted.
        static func acceptQueueLength(_ channel: any Channel) -> EventLoopFuture<Int> {
            guard let socket = channel as? any SocketOptionProvider else {
                return channel.eventLoop.makeFailedFuture(ChannelError.operationUnsupported)
            }
            let info: EventLoopFuture<TCPInfo> = socket.unsafeGetSocketOption(level: .tcp, name: tcpInfo)
            return info.map { Int($0.unacknowledged) }
        }

        private static let attachFilter = NIOBSDSocket.Option(rawValue: 26)  // SO_ATTACH_FILTER
        private static let tcpInfo = NIOBSDSocket.Option(rawValue: 11)  // TCP_INFO

        /// `struct sock_filter` of linux/filter.h.
        private struct FilterInstruction {
            var code: UInt16
            var ifTrue: UInt8
            var ifFalse: UInt8
            var operand: UInt32
        }

        /// `struct sock_fprog` of linux/filter.h.
        private struct FilterProgram: Sendable {
            var count: UInt16
            var address: UInt
        }

        /// The begin of `struct tcp_info` of linux/tcp.h. For a listening socket the kernel puts the length of the accept
        /// queue into `tcpi_unacked`.
        private struct TCPInfo: Sendable {
            var bytes: UInt64 = 0
            var retransmissionTimeout: UInt32 = 0
            var acknowledgementTimeout: UInt32 = 0
            var sendSegment: UInt32 = 0
            var receiveSegment: UInt32 = 0
            var unacknowledged: UInt32 = 0
        }
    }
#else
    enum ListenSocket {
        static func dropNewAttempts(_ channel: any Channel) -> EventLoopFuture<Void> {
            channel.eventLoop.makeFailedFuture(ChannelError.operationUnsupported)
        }

        static func acceptQueueLength(_ channel: any Channel) -> EventLoopFuture<Int> {
            channel.eventLoop.makeFailedFuture(ChannelError.operationUnsupported)
        }
    }
#endif
