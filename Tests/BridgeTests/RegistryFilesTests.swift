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

    private var snapshot: String { directory.path + "/registry/portals.snapshot" }

    private func change(_ body: (inout Data) -> Void) throws {
        var data = try Data(contentsOf: URL(filePath: snapshot))
        body(&data)
        try data.write(to: URL(filePath: snapshot))
    }

    @Test func `what was written comes back`() throws {
        #expect(files().load().readAt == nil)
        try files().writeSnapshot([entry("a"), entry("b")], readAt: 77)
        try files().writeUnconfirmed([entry("c")])
        let contents = files().load()
        #expect(contents.entries.map(\.memberID) == ["a", "b"] && contents.unconfirmed.map(\.memberID) == ["c"])
        #expect(contents.readAt == 77 && contents.findings.isEmpty)
    }

    @Test func `with a key nothing can be read in it, without one it is plain`() throws {
        try files().writeSnapshot([entry("portal-of-mine")], readAt: 1)
        #expect(try directory.allBytes().range(of: Data("portal-of-mine".utf8)) == nil)
        let plain = files(KeyringTests.keyring(nil))
        try plain.writeSnapshot([entry("portal-of-mine")], readAt: 1)
        #expect(plain.load().entries.count == 1)
        #expect(files().load().entries.count == 1, "a key that was configured since does no harm")
    }

    @Test func `a previous key opens the snapshot`() throws {
        try files(KeyringTests.keyring("old")).writeSnapshot([entry("a")], readAt: 1)
        #expect(files(KeyringTests.keyring("new", previous: ["old"])).load().entries.count == 1)
    }

    private func expectSetAside(_ files: RegistryFiles, _ words: String) throws {
        let contents = files.load()
        #expect(contents.entries.isEmpty && contents.readAt == nil)
        #expect(contents.findings.count == 1 && contents.findings[0].contains(words), "\(contents.findings)")
        #expect(!FileManager.default.fileExists(atPath: snapshot))
        let aside = try FileManager.default.contentsOfDirectory(atPath: directory.path + "/registry/set-aside")
        #expect(aside.count == 1)
        #expect(files.load().findings.isEmpty)
    }

    @Test(arguments: [true, false]) func `a damaged byte sets it aside`(isSealed: Bool) throws {
        let files = files(KeyringTests.keyring(isSealed ? "1" : nil))
        try files.writeSnapshot([entry("a")], readAt: 1)
        try change { $0[$0.count - 20] ^= 1 }
        try expectSetAside(files, isSealed ? "cannot be opened" : "damaged")
    }

    @Test func `what is left of it after a crash sets it aside`() throws {
        for length in [0, 5, 30] {
            try files().writeSnapshot([entry("a")], readAt: 1)
            try change { $0 = $0.prefix(length) }
            let findings = files().load().findings
            #expect(findings.count == 1 && findings[0].contains("portals.snapshot"), "\(length): \(findings)")
        }
    }

    @Test func `a key that is missing is named`() throws {
        try files(KeyringTests.keyring("old")).writeSnapshot([entry("a")], readAt: 1)
        try expectSetAside(files(KeyringTests.keyring("new")), "\"old\"")
    }

    @Test func `one of a newer bridge or of another topic is set aside`() throws {
        try files().writeSnapshot([entry("a")], readAt: 1)
        try change { $0 = Data("b24bridge-registry 2 sealed\n".utf8) + $0 }
        try expectSetAside(files(), "newer")
        try files().writeSnapshot([entry("a")], readAt: 1)
        #expect(files(topic: "other").load().findings.first?.contains("of the topic t") == true)
    }
}
