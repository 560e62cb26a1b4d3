import Foundation
import Testing

/// Holds the arrows between the rooms. The compiler's check lets an undeclared import pass that is reachable through
/// another room; this one reads every import.
@Suite struct LayeringTests {
    /// What each room imports of ours, and of packages: no more, and no less. Foundation is for the outer rooms only.
    static let rules: [String: (rooms: Set<String>, packages: Set<String>)] = [
        "b24bridge": (
            ["Bitrix24", "Bridge", "Configuration", "Journal", "KafkaClient", "Locks", "Simulation", "Telemetry"],
            ["ArgumentParser", "Logging", "NIOCore", "ServiceLifecycle", "UnixSignals"]
        ),
        "Bridge": (
            ["Bitrix24", "Bitrix24REST", "Configuration", "Ingress", "Journal", "KafkaClient", "Locks"],
            [
                "AsyncHTTPClient", "CoreMetrics", "Crypto", "DequeModule", "HeapModule", "Logging", "Metrics",
                "NIOCore", "NIOFoundationCompat", "NIOHTTP1", "NIOPosix", "ServiceLifecycle", "UnixSignals",
            ]
        ),
        "Simulation": (
            ["Bitrix24", "Ingress", "KafkaClient", "Locks"],
            ["AsyncHTTPClient", "Crypto", "Logging", "NIOCore", "NIOHTTP1", "NIOPosix", "ServiceLifecycle"]
        ),
        "Bitrix24REST": (["Bitrix24", "Locks"], ["AsyncHTTPClient", "NIOCore", "NIOHTTP1", "NIOPosix"]),
        "Ingress": (["Locks"], ["Logging", "NIOCore", "NIOHTTP1", "NIOPosix", "ServiceLifecycle"]),
        "Journal": (["Locks"], ["DequeModule"]),
        "KafkaClient": (["CLibrdkafka", "Locks"], []),
        "CLibrdkafka": ([], []),
        "Bitrix24": ([], ["Crypto"]),
        "Configuration": ([], ["Yams"]),
        "Telemetry": (["Locks"], ["CoreMetrics", "Logging"]),
        "Locks": ([], []),
    ]
    static let systemModules: Set<String> = ["Glibc", "Musl", "Darwin", "Synchronization", "Dispatch"]
    static let roomsWithFoundation: Set<String> = ["b24bridge", "Bridge", "Bitrix24REST", "Simulation"]

    static let sources = URL(filePath: #filePath).appending(path: "../../../Sources").standardized

    @Test func everyRoomHasARuleAndEveryRuleARoom() throws {
        let rooms = try FileManager.default.contentsOfDirectory(atPath: Self.sources.path)
        #expect(Set(rooms) == Set(Self.rules.keys))
    }

    @Test(arguments: rules.keys.sorted())
    func importsPointDownOnlyAndNoArrowIsIdle(room: String) throws {
        let rule = try #require(Self.rules[room])
        var allowed = rule.rooms.union(rule.packages).union(Self.systemModules)
        var imported: Set<String> = []
        if Self.roomsWithFoundation.contains(room) { allowed.insert("Foundation") }
        var files = 0
        let folder = Self.sources.appending(path: room)
        let enumerator = try #require(FileManager.default.enumerator(atPath: folder.path))
        for case let path as String in enumerator where path.hasSuffix(".swift") {
            files += 1
            let text = try String(contentsOf: folder.appending(path: path), encoding: .utf8)
            for line in text.split(separator: "\n") {
                guard let module = Self.importedModule(line) else { continue }
                imported.insert(module)
                #expect(allowed.contains(module), "\(room)/\(path) imports \(module)")
            }
        }
        #expect(files > 0 || room == "CLibrdkafka")
        let idle = rule.rooms.union(rule.packages).subtracting(imported)
        #expect(idle.isEmpty, "\(room) may import \(idle.sorted()) and does not")
    }

    private static func importedModule(_ line: Substring) -> String? {
        var words = line.split(separator: " ")
        while let first = words.first,
            first.hasPrefix("@") || ["public", "package", "internal", "private"].contains(first)
        {
            words.removeFirst()
        }
        guard words.first == "import", words.count > 1 else { return nil }
        words.removeFirst()
        if ["struct", "class", "enum", "func", "protocol", "var", "let", "typealias"].contains(words[0]) {
            words.removeFirst()
        }
        return words.first.map { String($0.split(separator: ".")[0]) }
    }
}
