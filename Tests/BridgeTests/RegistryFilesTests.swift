import Foundation
import Journal
import Testing

@testable import Bridge

@Suite struct RegistryFilesTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func files(_ keyring: Keyring = KeyringTests.keyring("1"), topic: String = "t") -> RegistryFiles {
        RegistryFiles(
            directory: directory.path + "/registry",
            topic: topic,
            fileSystem: POSIXFileSystem(),
            keyring: keyring
        )
    }

    private func entry(_ memberID: String) -> RegistryEntry {
        var clock = RegistryClock(replica: "a")
        var entry = RegistryEntry(memberID: memberID)
        entry.change(&clock) { $0.installation = .sample() }
        return entry
    }

    private struct Contents {
        var entries: [RegistryEntry] = []
        var unconfirmed: [RegistryEntry] = []
        var readAt: Int64?
        var findings: [String] = []
    }

    private func load(_ files: RegistryFiles) -> Contents {
        var contents = Contents()
        let findings = files.load { name, entries in
            if name == .snapshot { contents.entries += entries } else { contents.unconfirmed += entries }
        }
        (contents.readAt, contents.findings) = (findings.readAt, findings.faults)
        return contents
    }

    private func write(_ entries: [RegistryEntry], to files: RegistryFiles, readAt: Int64 = 1) throws {
        try files.writeSnapshot(entries.map(\.memberID), readAt: readAt) { memberID in
            entries.first { $0.memberID == memberID }
        }
    }

    private var snapshot: String { directory.path + "/registry/portals.snapshot" }

    private func change(_ body: (inout Data) -> Void) throws {
        var data = try Data(contentsOf: URL(filePath: snapshot))
        body(&data)
        try data.write(to: URL(filePath: snapshot))
    }

    @Test func `what was written comes back`() throws {
        #expect(load(files()).readAt == nil)
        try write([entry("a"), entry("b")], to: files(), readAt: 77)
        try files().writeUnconfirmed([entry("c")])
        let contents = load(files())
        #expect(contents.entries.map(\.memberID) == ["a", "b"] && contents.unconfirmed.map(\.memberID) == ["c"])
        #expect(contents.readAt == 77 && contents.findings.isEmpty)
    }

    @Test func `with a key nothing can be read in it, without one it is plain`() throws {
        try write([entry("portal-of-mine")], to: files(), readAt: 1)
        #expect(try directory.allBytes().range(of: Data("portal-of-mine".utf8)) == nil)
        let plain = files(KeyringTests.keyring(nil))
        try write([entry("portal-of-mine")], to: plain, readAt: 1)
        #expect(load(plain).entries.count == 1)
        #expect(load(files()).entries.count == 1, "a key that was configured since does no harm")
    }

    @Test func `a previous key opens the snapshot`() throws {
        try write([entry("a")], to: files(KeyringTests.keyring("old")), readAt: 1)
        #expect(load(files(KeyringTests.keyring("new", previous: ["old"]))).entries.count == 1)
    }

    private func expectSetAside(_ files: RegistryFiles, _ words: String) throws {
        let contents = load(files)
        #expect(contents.entries.isEmpty && contents.readAt == nil)
        #expect(contents.findings.count == 1 && contents.findings[0].contains(words), "\(contents.findings)")
        #expect(!FileManager.default.fileExists(atPath: snapshot))
        let aside = try FileManager.default.contentsOfDirectory(atPath: directory.path + "/registry/set-aside")
        #expect(aside.count == 1)
        #expect(load(files).findings.isEmpty)
    }

    @Test(arguments: [true, false]) func `a damaged byte sets it aside`(isSealed: Bool) throws {
        let files = files(KeyringTests.keyring(isSealed ? "1" : nil))
        try write([entry("a")], to: files, readAt: 1)
        try change { $0[$0.count - 20] ^= 1 }
        try expectSetAside(files, isSealed ? "cannot be opened" : "damaged")
    }

    @Test func `many portals come back, and pieces of two snapshots do not go together`() throws {
        let many = (0..<200).map { entry("portal-\($0)") }
        try write(many, to: files(), readAt: 1)
        #expect(load(files()).entries.map(\.memberID) == many.map(\.memberID))
        var lines = try Data(contentsOf: URL(filePath: snapshot)).split(separator: UInt8(ascii: "\n"))
        lines.swapAt(1, 2)
        try change { $0 = Data(lines.joined(separator: [UInt8(ascii: "\n")])) }
        try expectSetAside(files(), "cannot be opened")
    }

    @Test func `what is left of it after a crash sets it aside`() throws {
        for length in [0, 5, 30] {
            try write([entry("a")], to: files(), readAt: 1)
            try change { $0 = $0.prefix(length) }
            let findings = load(files()).findings
            #expect(findings.count == 1 && findings[0].contains("portals.snapshot"), "\(length): \(findings)")
        }
    }

    @Test func `a key that is missing is named`() throws {
        try write([entry("a")], to: files(KeyringTests.keyring("old")), readAt: 1)
        try expectSetAside(files(KeyringTests.keyring("new")), "\"old\"")
    }

    @Test func `one of a newer bridge or of another topic is set aside`() throws {
        try write([entry("a")], to: files(), readAt: 1)
        try change { $0 = Data("b24bridge-registry 2 sealed\n".utf8) + $0 }
        try expectSetAside(files(), "newer")
        try write([entry("a")], to: files(), readAt: 1)
        #expect(load(files(topic: "other")).findings.first?.contains("of the topic t") == true)
    }
}
