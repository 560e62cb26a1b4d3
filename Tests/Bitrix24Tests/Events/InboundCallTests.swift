import Testing

@testable import Bitrix24

@Suite struct InboundCallTests {
    private func kind(_ body: String) throws -> String {
        switch InboundCall(try Sample.form(body)) {
        case .event(let event): "event \(event.code)"
        case .notEvent(let call): call.rawValue
        case .malformed(let fault): fault.rawValue
        }
    }

    @Test(arguments: [
        ("event=ONCRMDEALADD&auth[member_id]=a", "event ONCRMDEALADD"),
        ("event=onCrmRequisiteAdd&auth[member_id]=a", "event ONCRMREQUISITEADD"),
        ("workflow_id=1&code=x&document_id[]=crm&event_token=t&properties[a]=1&ts=1&auth[member_id]=a", "robot"),
        ("event_token=t&auth[member_id]=a", "robot"),
        ("AUTH_ID=1&REFRESH_ID=2&member_id=a&PLACEMENT=DEFAULT", "placement"),
        ("event=OnAppSettingsInstall&auth[member_id]=a", "settings"), ("event=OnAppSettingsDisplay", "settings"),
        ("event=ONAPPSETTINGSCHANGE", "settings"),
        ("event=OnAppSettingsFuture&auth[member_id]=a", "event ONAPPSETTINGSFUTURE"),
        ("event=ONCRMDEALADD&workflow_id=1&AUTH_ID=1&auth[member_id]=a", "event ONCRMDEALADD"),
        ("", "no-event"), ("event=&auth[member_id]=a", "no-event"), ("auth[member_id]=a", "no-event"),
        ("auth_id=1&member_id=a", "no-event"), ("event[]=ONCRMDEALADD&auth[member_id]=a", "event-not-text"),
        ("event[x]=1&auth[member_id]=a", "event-not-text"), ("event=ONCRMDEALADD", "no-member-id"),
        ("event=ONCRMDEALADD&auth=a", "no-member-id"), ("event=ONCRMDEALADD&auth[member_id]=", "no-member-id"),
        ("event=ONCRMDEALADD&member_id=a", "no-member-id"),
        ("event=ONCRMDEALADD&auth[member_id]=a&auth=b", "no-member-id"),
        ("event=ONCRMDEALADD&auth[member_id][]=a", "member-id-not-text"),
        ("event[x]=1&event=ONCRMDEALADD&auth[member_id]=a", "event ONCRMDEALADD"),
    ])
    func tellsEventsFromOtherCalls(body: String, expected: String) throws {
        #expect(try kind(body) == expected)
    }

    @Test func saysWhatToMend() {
        for fault in InboundCall.MalformedCall.allCases {
            #expect(fault.description.contains("; send"), "\(fault.rawValue)")
        }
    }

    @Test func keepsTheCodeAsItWasSent() throws {
        let form = try Sample.form("event=onCrmDealAdd&auth[member_id]=a223")
        let event = try Sample.event(in: form)
        #expect(event.sentCode.elementsEqual("onCrmDealAdd".utf8))
        #expect(event.memberID == "a223")
        #expect(event.eventType?.code == "ONCRMDEALADD")
    }

    @Test func onlyAsciiLettersChangeTheirCase() throws {
        // The long s would become an S under a language's own rules, and the code another one.
        #expect(try kind("event=on\u{17F}aleordersaved&auth[member_id]=a") == "event ON\u{17F}ALEORDERSAVED")
    }

    @Test func anEventOfBytesThatAreNotUTF8IsAnEventAllTheSame() throws {
        let event = try Sample.event(in: try Sample.form("event=on%FFx&auth[member_id]=a%FE"))
        #expect(event.code == "ON\u{FFFD}X")
        #expect(event.memberID == "a\u{FFFD}")
    }
}
