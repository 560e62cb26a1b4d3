internal import DequeModule
internal import Ingress
internal import Journal
internal import NIOCore

/// The events of one event loop that wait for their commit, oldest first.
///
/// The journal settles positions in order, so a plain queue is enough: no table, no task, no continuation.
struct PendingAnswers {
    struct Answer {
        let position: JournalPosition
        let responder: Responder
        let receivedAt: NIODeadline
        /// For the log, should the event be lost.
        let memberID: String
        let code: String
    }

    private var answers: Deque<Answer> = []

    mutating func append(_ answer: Answer) { answers.append(answer) }

    /// Removes and returns the next answer up to `position`.
    mutating func next(through position: JournalPosition) -> Answer? {
        guard let first = answers.first, first.position <= position else { return nil }
        answers.removeFirst()
        return first
    }
}
