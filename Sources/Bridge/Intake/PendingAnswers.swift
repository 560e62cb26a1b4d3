internal import Bitrix24
internal import DequeModule
internal import Ingress
internal import Journal
internal import NIOCore

/// What one event loop has appended and waits to see committed, oldest first.
///
/// The journal settles positions in order, so a plain queue is enough: no table, no task, no continuation.
struct PendingAnswers {
    struct Answer {
        let responder: Responder
        let receivedAt: NIODeadline
        /// Counted when committed; logged when lost.
        let memberID: String
        let code: String
        /// What the event means for its installation. It is to be stored before the answer. Of few events.
        let followUp: FollowUp?
    }

    /// A class, so that the answers of all other events stay small.
    final class FollowUp {
        let call: UnverifiedCall

        init(_ call: UnverifiedCall) { self.call = call }
    }

    /// Nobody waits for a dead letter, but it has taken from its budget.
    struct DeadLetter {
        let reason: DeadLetterReason
        let bytes: Int
        let portal: String
    }

    enum Entry {
        case answer(Answer)
        case deadLetter(DeadLetter)
    }

    private var entries: Deque<(position: JournalPosition, entry: Entry)> = []

    mutating func append(_ entry: Entry, at position: JournalPosition) { entries.append((position, entry)) }

    /// Removes and returns the next entry up to `position`.
    mutating func next(through position: JournalPosition) -> Entry? {
        guard let first = entries.first, first.position <= position else { return nil }
        return entries.removeFirst().entry
    }
}
