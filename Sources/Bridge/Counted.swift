/// `1 file`, `2 files`: a number with its noun, for people.
package func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }
