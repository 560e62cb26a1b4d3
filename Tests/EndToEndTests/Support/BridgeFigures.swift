import Foundation
import Testing

/// What a running bridge tells of itself, and the kernel of it.
extension Bridge {
    /// A metric without labels, or the sum over all of its labels.
    func metric(_ name: String) async throws -> Double {
        let body = try await httpRequest("GET", "/metrics", port: try await port("admin")).body
        return body.split(separator: "\n").reduce(0) { sum, line in
            guard line.hasPrefix("b24bridge_" + name),
                let value = line.split(separator: " ").last.flatMap({ Double($0) }),
                ["{", " "].contains(line.dropFirst("b24bridge_".count + name.count).first)
            else { return sum }
            return sum + value
        }
    }

    /// Resident memory in bytes.
    func residentBytes() throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(program.identifier)/status", encoding: .utf8)
        let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("VmRSS:") })
        return (Int(line.filter(\.isNumber)) ?? 0) << 10
    }

    /// Segment files of its journal.
    func segments() throws -> Int {
        let journal = try #require(folder).file("journal")
        return try FileManager.default.contentsOfDirectory(atPath: journal).count { $0.hasSuffix(".segment") }
    }
}

/// A port that nobody listens at, for a process that is started several times at the same address.
func freePort() throws -> Int {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let port = withUnsafeMutableBytes(of: &address) { bytes -> Int? in
        let pointer = bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self)
        guard bind(descriptor, pointer, length) == 0, getsockname(descriptor, pointer, &length) == 0 else { return nil }
        return Int(in_port_t(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: in_port_t.self)))
    }
    return try #require(port)
}
