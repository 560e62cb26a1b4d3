/// Which of a bridge's two journals.
package enum JournalName: String, Sendable, CaseIterable, Encodable {
    case main
    case parked
}
