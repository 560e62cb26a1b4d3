internal import Foundation
internal import NIOHTTP1

/// What became of one long poll.
enum PushAnswer: Sendable, Equatable {
    case messages([PushMessage])
    /// Nothing happened for as long as the server holds a poll, or for as long as we do.
    ///
    /// - Parameter last: the mid to go on after, if the server names one.
    case silence(last: String?)
    /// The server answered without anything: it cannot go on after the mid that it was given.
    case nothing
    /// No server, or none of this kind.
    ///
    /// - Parameter status: 0: there was no answer.
    case failure(status: Int)

    init(_ received: Transport.Received?) {
        switch received {
        case nil: self = .silence(last: nil)
        case let received? where received.status == 304:
            // By this the server's own 304 is told from one of a cache on the way.
            let isItsOwn = received.headers.first(name: "Expires") == "Thu, 01 Jan 1973 11:11:01 GMT"
            let last = received.headers.first(name: "Last-Message-Id") ?? ""
            self = .silence(last: isItsOwn && !last.isEmpty ? last : nil)
        case let received? where received.status == 200:
            if received.body.isEmpty {
                self = .nothing
            } else if let messages = PushMessage.all(in: received.body) {
                self = messages.isEmpty ? .silence(last: nil) : .messages(messages)
            } else {
                self = .failure(status: 200)
            }
        case let received?: self = .failure(status: received.status)
        }
    }
}
