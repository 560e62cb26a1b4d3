import Glibc
import Testing

/// A port of loopback that is kept for whoever is to listen there, again and again; it must set SO_REUSEADDR. One that was only
/// free a moment ago is soon given to a connection of another test.
final class ReservedPort: Sendable {
    let number: Int
    private let descriptor: Int32

    init() throws {
        descriptor = Loopback.makeSocket()
        var on: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        number = try #require(Loopback.bind(descriptor))
    }

    deinit { close(descriptor) }
}
