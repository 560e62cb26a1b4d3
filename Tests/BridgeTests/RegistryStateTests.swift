import Testing

@testable import Bridge

@Suite struct RegistryStateTests {
    private static func entry(_ memberID: String, _ time: Int64, order: String) -> RegistryEntry {
        var portal = RegisteredPortal(memberID: memberID)
        portal.order = .init(id: order, kind: .plan, at: time)
        var entry = RegistryEntry(memberID: memberID)
        entry.set(.order, of: portal, at: RegistryStamp(time: time, replica: "b"))
        return entry
    }

    private static func report(_ memberID: String, _ time: Int64) -> RegistryEntry {
        var portal = RegisteredPortal(memberID: memberID)
        portal.report = .init(orderID: "1", at: time, json: "{}")
        var entry = RegistryEntry(memberID: memberID)
        entry.set(.report, of: portal, at: RegistryStamp(time: time, replica: "c"))
        return entry
    }

    @Test func `of two records that each lack the other's part, the owner writes one with both`() {
        var state = RegistryState(replica: "a")
        _ = state.reachedEnd(.lost)
        _ = state.read(Self.entry("m", 1, order: "1"))
        #expect(state.behind.isEmpty)
        _ = state.read(Self.report("m", 2))
        #expect(state.behind == ["m"])
        _ = state.takeBehind()
        #expect(state.unconfirmed == ["m"] && state.behind.isEmpty)
        let mended = state.entry("m")
        #expect(mended.portal.order != nil && mended.portal.report != nil)
        _ = state.confirmed(mended)
        _ = state.read(mended)
        #expect(state.unconfirmed.isEmpty && state.behind.isEmpty)
    }

    @Test func `a removal that the newest record lacks is written once more, and not for ever`() {
        var removal = RegistryEntry(memberID: "m")
        removal.remove(at: RegistryStamp(time: 5, replica: "a"))
        var state = RegistryState(replica: "a")
        _ = state.reachedEnd(.lost)
        _ = state.read(removal)
        _ = state.read(Self.entry("m", 6, order: "1"))
        #expect(state.portal("m") == nil && state.states.values.allSatisfy { $0 == 0 } && state.behind == ["m"])
        _ = state.takeBehind()
        _ = state.confirmed(removal)
        _ = state.read(removal)
        #expect(
            state.portal("m") == nil && state.states.values.allSatisfy { $0 == 0 } && state.behind.isEmpty
                && state.unconfirmed.isEmpty
        )
    }

    @Test func `a change made while another was under way is still to be sent`() {
        var state = RegistryState(replica: "a")
        let sent = Self.entry("m", 1, order: "1")
        state.commit(sent)
        state.commit(Self.report("m", 2))
        _ = state.confirmed(sent)
        #expect(state.unconfirmed == ["m"])
        _ = state.confirmed(state.entry("m"))
        #expect(state.unconfirmed.isEmpty)
    }

    @Test func `a young snapshot's portal that the topic lost is written again`() {
        var state = RegistryState(replica: "a")
        state.restore([Self.entry("lost", 1, order: "1"), Self.entry("there", 1, order: "1")], unconfirmed: [])
        _ = state.read(Self.entry("there", 1, order: "1"))
        let missing = state.reachedEnd(.lost)
        #expect(missing == ["lost"] && state.portal("lost") != nil && state.behind == ["lost"])
    }

    @Test func `an old snapshot's portal that the topic does not know was taken out`() {
        var state = RegistryState(replica: "a")
        state.restore([Self.entry("removed", 1, order: "1"), Self.entry("there", 1, order: "1")], unconfirmed: [])
        _ = state.read(Self.entry("there", 1, order: "1"))
        let missing = state.reachedEnd(.removed)
        #expect(missing == ["removed"] && state.behind.isEmpty)
        #expect(state.portal("removed") == nil && state.portal("there") != nil)
    }

    @Test func `a topic that holds nothing has lost everything`() {
        var state = RegistryState(replica: "a")
        state.restore([Self.entry("a", 1, order: "1"), Self.entry("b", 1, order: "1")], unconfirmed: [])
        let missing = state.reachedEnd(.removed)
        #expect(missing == ["a", "b"] && state.memberIDs.count == 2 && state.behind == ["a", "b"])
    }

    @Test func `what was changed and not confirmed outlives a restart, whatever the topic says`() {
        var state = RegistryState(replica: "a")
        state.restore([], unconfirmed: [Self.entry("mine", 5, order: "5")])
        _ = state.read(Self.entry("mine", 1, order: "1"))
        _ = state.reachedEnd(.removed)
        #expect(state.portal("mine")?.order?.id == "5" && state.unconfirmed == ["mine"])
    }
}
