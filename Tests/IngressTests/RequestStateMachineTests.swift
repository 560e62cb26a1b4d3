import NIOHTTP1
import Testing

@testable import Ingress

@Suite struct RequestStateMachineTests {
    private func facts(_ change: (inout RequestFacts) -> Void = { _ in }) -> RequestFacts {
        var facts = RequestFacts()
        facts.framing = .length(5)
        change(&facts)
        return facts
    }

    /// A machine whose request is with the owner.
    private func awaiting(_ facts: RequestFacts) -> RequestStateMachine {
        var machine = RequestStateMachine()
        #expect(machine.receivedHead(facts) == .askOwner)
        #expect(machine.bodyWanted(maxBodyBytes: 10) == .receive)
        #expect(machine.receivedBody(5, maxBodyBytes: 10) == .keep)
        #expect(machine.receivedEnd() == .handOver)
        return machine
    }

    @Test func `a request goes to the owner and back to idle`() {
        var machine = awaiting(facts())
        let answer = machine.answered(generation: 1, closing: false, moreInput: false)
        #expect(answer == .init(persistence: .keepAlive, withoutBody: false, afterwards: .nextRequest))
        #expect(machine.phase == .idle)
    }

    @Test func `an answer to another request is stale`() {
        var machine = awaiting(facts())
        #expect(machine.answered(generation: 0, closing: false, moreInput: false) == nil)
        #expect(machine.answered(generation: 2, closing: false, moreInput: false) == nil)
        #expect(machine.answered(generation: 1, closing: false, moreInput: false) != nil)
        #expect(machine.answered(generation: 1, closing: false, moreInput: false) == nil)
    }

    @Test func `the end of a connection depends on who wants it and what is left to read`() {
        typealias Afterwards = RequestStateMachine.Answer.Afterwards
        let cases: [(wantsKeepAlive: Bool, closing: Bool, moreInput: Bool, ended: Bool, Persistence, Afterwards)] = [
            (true, false, false, false, .keepAlive, .nextRequest),
            (true, false, true, false, .keepAlive, .nextRequest),
            (true, true, false, false, .close, .linger),
            (false, false, false, false, .close, .close),
            (false, false, true, false, .close, .linger),
            (true, false, false, true, .close, .close),
            (true, true, true, true, .close, .close),
        ]
        for (wantsKeepAlive, closing, moreInput, ended, persistence, afterwards) in cases {
            var machine = awaiting(facts { $0.wantsKeepAlive = wantsKeepAlive })
            if ended { #expect(machine.inputEnded() == .nothing) }
            let answer = machine.answered(generation: 1, closing: closing, moreInput: moreInput)
            #expect(answer?.persistence == persistence)
            #expect(answer?.afterwards == afterwards)
        }
    }

    @Test func `nothing is refused once the last answer is given`() {
        var machine = awaiting(facts { $0.wantsKeepAlive = false })
        _ = machine.answered(generation: 1, closing: false, moreInput: false)
        #expect(machine.fault(.malformed) == .nothing)
        #expect(machine.inputEnded() == .nothing)
        #expect(machine.receivedBody(3, maxBodyBytes: 1) == .drop)
        #expect(machine.receivedEnd() == .nothing)
        #expect(machine.deadlinePassed() == .closeNow)
    }

    @Test func `each phase has its own way to miss a deadline`() {
        var machine = RequestStateMachine()
        #expect(machine.deadlinePassed() == .closeNow)
        #expect(machine.beganHead() == true)
        #expect(machine.beganHead() == false)
        #expect(machine.deadlinePassed() == .refuse(.timedOut))
        _ = machine.receivedHead(facts())
        _ = machine.bodyWanted(maxBodyBytes: 10)
        #expect(machine.deadlinePassed() == .refuse(.timedOut))
        _ = machine.receivedEnd()
        #expect(machine.deadlinePassed() == .refuse(.answerOverdue))
    }

    @Test func `a declared body is measured before it is expected`() {
        var machine = RequestStateMachine()
        _ = machine.receivedHead(facts { $0.expectsContinue = true })
        #expect(machine.bodyWanted(maxBodyBytes: 4) == .refuse(.bodyTooLarge))
        var other = RequestStateMachine()
        _ = other.receivedHead(facts { $0.expectsContinue = true })
        #expect(other.bodyWanted(maxBodyBytes: 5) == .sendContinue)
        #expect(other.receivedBody(5, maxBodyBytes: 5) == .keep)
        #expect(other.receivedBody(1, maxBodyBytes: 5) == .refuse(.bodyTooLarge))
    }

    @Test func `the head tells the framing`() {
        func framing(_ fields: [(String, String)], _ version: HTTPVersion = .http1_1) -> RequestFacts.Framing {
            RequestFacts(HTTPRequestHead(version: version, method: .POST, uri: "/", headers: HTTPHeaders(fields)))
                .framing
        }
        #expect(framing([]) == .none)
        #expect(framing([("CONTENT-length", "12")]) == .length(12))
        #expect(framing([("Content-Length", "18446744073709551615")]) == .faulty)
        #expect(framing([("Transfer-encoding", "Chunked")]) == .chunked)
        #expect(framing([("Transfer-Encoding", "chunked, chunked")]) == .unsupported)
        #expect(framing([("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "chunked")]) == .unsupported)
        #expect(framing([("Transfer-Encoding", "chunked")], .http1_0) == .faulty)
    }
}
