import ArgumentParser
import Bridge
import Foundation

struct PortalsImportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Take in what portals export printed.",
        discussion: """
            Of what is known on both sides the newer counts, part by part, so importing twice, or into a registry that is \
            in use, undoes nothing. A portal that was removed from this registry later than it was exported stays removed.

              b24bridge portals import --config b24bridge.yaml portals.ndjson

            What is sealed stays sealed: keys that are missing here are named, and have to be added to \
            secrets.previousKeys. Until then those portals need authorisation; their events are taken.

            Exit status: 0 all was taken in, 1 failure, 2 bad usage or configuration.
            """
    )

    @OptionGroup var options: RegistryOptions

    @Argument(help: ArgumentHelp("What was exported, - for standard input.", valueName: "file"))
    var file: String = "-"

    func run() async throws {
        let settings = try LoadedConfiguration.load(options.configuration).settings
        let entries = try reportingFaults { try Self.entries(file) }
        let merged = try await settings.withRegistry(patience: options.patience) { registry in
            try await PortalWork.forEach(entries, "importing") { try await registry.merge($0) }
        }
        writeToStandardError(
            "portals: \(merged.count { $0 }) taken in, \(merged.count { !$0 }) of \(entries.count) known already\n"
        )
        let keyring = Keyring(settings.secrets)
        let missing = Set(entries.flatMap(\.portal.keyIDs)).filter { !keyring.has($0) }.sorted()
        if !missing.isEmpty {
            writeToStandardError(
                "Some are sealed with keys that are not configured here: \(missing.joined(separator: ", ")). Add them to "
                    + "secrets.previousKeys, and run b24bridge portals rekey.\n"
            )
        }
    }

    private static func entries(_ file: String) throws -> [RegistryEntry] {
        let data =
            file == "-"
            ? try FileHandle.standardInput.readToEnd() ?? Data() : try Data(contentsOf: URL(filePath: file))
        return try data.split(separator: UInt8(ascii: "\n")).enumerated().map { index, line in
            do throws(RegistryError) {
                return try RegistryRecord.entry(line: Array(line))
            } catch {
                throw SecretInput.Unreadable(description: "\(file), line \(index + 1): \(error)")
            }
        }
    }
}

/// Work on many portals, some at a time, with a progress bar.
enum PortalWork {
    /// More would only wait for each other.
    private static let parallel = 100

    /// - Returns: in the order of `items`.
    /// - Throws: the first error, after what was under way has ended.
    static func forEach<Item: Sendable, Value: Sendable>(
        _ items: [Item],
        _ title: String,
        _ body: @escaping @Sendable (Item) async throws -> Value
    ) async throws -> [Value] {
        var bar = ProgressBar(title, total: items.count)
        defer { bar.finish() }
        var values: [Int: Value] = [:]
        try await withThrowingTaskGroup(of: (Int, Value).self) { group in
            var next = 0
            while values.count < items.count {
                while next < items.count, next - values.count < parallel {
                    let index = next
                    group.addTask { (index, try await body(items[index])) }
                    next += 1
                }
                guard let (index, value) = try await group.next() else { break }
                values[index] = value
                bar.update(values.count, "\(values.count) of \(items.count)")
            }
        }
        return items.indices.compactMap { values[$0] }
    }
}
