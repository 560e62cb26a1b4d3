import Bridge
import Foundation

/// Prints a result for machines, laid out so that people can read it as well.
func printJSON(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try writeToStandardOutput(Array(try encoder.encode(value)) + [UInt8(ascii: "\n")])
}

/// Prints an object on one line.
///
/// - Returns: `false` when nobody can read it any more.
@discardableResult
func printJSONLine(_ value: some Encodable) throws -> Bool {
    try writeToStandardOutput(Array(try JSONEncoder.oneLine.encode(value)) + [UInt8(ascii: "\n")])
}
