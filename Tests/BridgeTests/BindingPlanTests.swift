import Bitrix24REST
import Testing

@testable import Bridge

@Suite struct BindingPlanTests {
    private static let here = "https://bridge.example/b24/events/p1"
    private static let old = "https://old.example/b24/events/p1"

    private static func online(_ event: String, at handler: String = here, authType: Int64 = 0) -> EventBinding {
        EventBinding(event: event, handler: handler, authType: authType)
    }

    private static func offline(_ event: String, _ connector: String) -> EventBinding {
        EventBinding(offline: event, connector: connector)
    }

    private static func plan(
        _ subscriptions: String,
        present: [EventBinding],
        handlers: [String] = [],
        connectors: [String] = []
    ) throws -> BindingPlan {
        let settings = try SubscriptionSettingsTests.settings(subscriptions)
        return BindingPlan(
            desired: DesiredBindings(settings, for: "p1").all,
            present: present,
            ownership: BindingOwnership(settings, for: "p1", handlers: handlers, connectors: connectors)
        )
    }

    private static let always = [online("ONAPPUNINSTALL"), online("ONAPPTEST")]

    @Test func `a portal without bindings gets all of them`() throws {
        let plan = try Self.plan("subscriptions: {online: [ONCRMDEALADD]}", present: [])
        #expect(plan.bind.map(\.event) == ["ONAPPTEST", "ONAPPUNINSTALL", "ONCRMDEALADD"])
        #expect(plan.unbind.isEmpty && plan.unchanged == 0 && plan.foreign == 0)
    }

    @Test func `what is as it should be needs nothing`() throws {
        let plan = try Self.plan(
            "subscriptions: {online: [ONCRMDEALADD]}",
            present: Self.always + [Self.online("onCrmDealAdd")]
        )
        #expect(plan.isEmpty && plan.unchanged == 3)
    }

    @Test func `own bindings that are no longer wanted go`() throws {
        let plan = try Self.plan("", present: Self.always + [Self.online("ONCRMDEALADD"), Self.online("ONCRMLEADADD")])
        #expect(plan.bind.isEmpty && plan.unbind.map(\.event) == ["ONCRMDEALADD", "ONCRMLEADADD"])
        #expect(plan.dispensable == plan.unbind)
    }

    @Test func `bindings of others stay`() throws {
        let foreign = [
            Self.online("ONCRMDEALADD", at: "https://other.example/hook"),
            // Looks alike, and is another address.
            Self.online("ONCRMDEALADD", at: "https://bridge.example/b24/eventsource/p1"),
            Self.online("ONCRMDEALADD", at: "https://bridge.example.evil.example/b24/events/p1"),
            Self.online("ONCRMDEALADD", at: Self.old),
            // Bitrix24 makes these by itself.
            Self.online("ONAPPINSTALL"), Self.online("ONAPPUPDATE"),
            // The queue without a source key is everybody's.
            Self.offline("ONCRMDEALADD", ""), Self.offline("ONCRMDEALADD", "erp"),
        ]
        let plan = try Self.plan("", present: Self.always + foreign)
        #expect(plan.isEmpty && plan.foreign == foreign.count && plan.unchanged == 2)
    }

    @Test func `bindings at an earlier address of the bridge go once the new ones exist`() throws {
        let atOld = [Self.online("ONAPPTEST", at: Self.old), Self.online("ONCRMDEALADD", at: Self.old)]
        let first = try Self.plan("subscriptions: {online: [ONCRMDEALADD]}", present: atOld, handlers: [Self.old])
        #expect(first.bind.count == 3 && first.unbind.count == 2)
        #expect(first.dispensable.isEmpty, "until then they are all there is")
        let second = try Self.plan(
            "subscriptions: {online: [ONCRMDEALADD]}",
            present: atOld + Self.always,
            handlers: [Self.old]
        )
        #expect(second.dispensable == [Self.online("ONAPPTEST", at: Self.old)])
    }

    @Test func `a binding that was tied to a user stays as long as there is no better one`() throws {
        let tied = [Self.online("ONCRMDEALADD", authType: 12)]
        let plan = try Self.plan("subscriptions: {online: [ONCRMDEALADD]}", present: Self.always + tied)
        #expect(plan.bind == [Self.online("ONCRMDEALADD")] && plan.unbind == tied && plan.dispensable.isEmpty)
    }

    @Test func `offline bindings of its own source key are the bridge's`() throws {
        let present =
            Self.always + [
                Self.online("ONOFFLINEEVENT"), Self.offline("ONCRMDEALADD", "b24"), Self.offline("ONCRMLEADADD", "b24"),
                Self.offline("ONCRMLEADADD", ""),
            ]
        let declared = "subscriptions: {offline: [ONCRMDEALADD], authConnector: b24}"
        let plan = try Self.plan(declared, present: present)
        #expect(plan.bind.isEmpty && plan.unbind == [Self.offline("ONCRMLEADADD", "b24")] && plan.foreign == 1)
        let known = try Self.plan(declared, present: present, connectors: [""])
        #expect(known.unbind.count == 2 && known.foreign == 0)
    }
}
