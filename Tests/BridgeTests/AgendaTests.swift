import Testing

@testable import Bridge

@Suite struct AgendaTests {
    @Test func `an agenda of many portals takes those that are due the longest, at a small price`() {
        var agenda = Agenda<Int>(width: 2)
        for index in 0..<1000 { agenda.schedule("p\(index)", at: Int64(1000 - index)) }
        for round in 0..<100 { agenda.schedule("p0", at: 2000 + Int64(round)) }
        #expect(agenda.take(0).isEmpty)
        #expect(agenda.take(5000) == ["p999", "p998"])
        #expect(agenda.take(5000).isEmpty && agenda.waiting(5000) == 998)
        agenda.schedule("p999", at: 1)
        agenda.finished("p999")
        #expect(agenda.take(5000) == ["p999"], "scheduled while it was busy")
        agenda.finished("p998")
        agenda.forget("p997")
        #expect(agenda.take(5000) == ["p996"])
    }
}
