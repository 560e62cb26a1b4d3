import Glibc
import Testing

@testable import KafkaClient

@Suite struct HeldPortTests {
    @Test func `the port of a broker that is down is given to nobody else, and the broker gets it back`() throws {
        let cluster = try MockCluster()
        defer { cluster.close() }
        let port = try #require(cluster.bootstrapServers.split(separator: ":").last.flatMap { UInt16($0) })
        try cluster.setBroker(up: false)
        #expect(!canBind(port))
        try cluster.setBroker(up: true)
        let configuration = ProducerConfiguration(bootstrapServers: cluster.bootstrapServers)
        #expect(try clusterMetadata(of: configuration, timeout: .seconds(10)).brokers.count == 1)
    }

    /// As any program would, without asking to share the port.
    private func canBind(_ port: UInt16) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
