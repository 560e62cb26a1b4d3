import Foundation
import Testing

@testable import Configuration

/// A reader of text, as a file named `f.yaml` with the prefix `APP`.
func reader(_ yaml: String, _ environment: [String: String] = [:]) throws -> ConfigurationReader {
    try ConfigurationReader.parse(yaml: yaml, name: "f.yaml", environment: environment, environmentPrefix: "APP")
}

/// The faults that the end of reading tells, one line each.
func faults(_ reader: ConfigurationReader) -> [String] {
    do {
        try reader.finish()
        return []
    } catch {
        return error.faults.map(\.description)
    }
}

/// The faults that keep text from being read at all.
func refusal(_ yaml: String) -> [String] {
    do {
        _ = try reader(yaml)
        return []
    } catch let error as ConfigurationFaults {
        return error.faults.map(\.description)
    } catch {
        return ["\(error)"]
    }
}

/// A directory that is there while the body runs.
func withDirectory<Result>(_ body: (String) throws -> Result) throws -> Result {
    let path = NSTemporaryDirectory() + "configuration-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try body(path)
}
