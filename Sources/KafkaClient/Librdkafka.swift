internal import CLibrdkafka

/// The librdkafka that this process is linked with, asked at run time: a container may carry another version than the
/// one that was compiled against.
package enum Librdkafka {
    /// For people, such as `2.0.2`.
    package static var version: String { String(cString: rd_kafka_version_str()) }

    /// `0xMMmmrrxx`: major, minor, revision, pre-release (`0xff` is a release), as `rd_kafka_version` documents it.
    package static var versionNumber: Int32 { rd_kafka_version() }

    /// Whether the library is older than the given release.
    package static func isBelow(_ major: Int32, _ minor: Int32, _ revision: Int32) -> Bool {
        (versionNumber >> 8) < (major << 16 | minor << 8 | revision)
    }

    /// What the library was built with: `ssl`, `sasl_scram`, `zstd` and the like. It decides which properties work.
    package static var builtinFeatures: [String] {
        guard let conf = rd_kafka_conf_new() else { return [] }
        defer { rd_kafka_conf_destroy(conf) }
        var size = 0
        guard rd_kafka_conf_get(conf, "builtin.features", nil, &size) == RD_KAFKA_CONF_OK else { return [] }
        let text = withUnsafeTemporaryAllocation(of: CChar.self, capacity: size + 1) { buffer -> String in
            buffer.initialize(repeating: 0)
            guard let base = buffer.baseAddress,
                rd_kafka_conf_get(conf, "builtin.features", base, &size) == RD_KAFKA_CONF_OK
            else { return "" }
            return String(cString: base)
        }
        return text.split(separator: ",").map(String.init)
    }

    /// The partition that `partitioner=murmur2_random`, and so the default partitioner of the Java clients, picks for a
    /// record with this key. `partitions` is above zero.
    package static func partition(forKey key: UnsafeRawBufferPointer, of partitions: Int32) -> Int32 {
        precondition(partitions > 0)
        return kafka_shim_murmur2_partition(key.baseAddress, key.count, partitions)
    }
}
