/// What a POST to the event address turns out to be.
package enum InboundCall {
    case event(InboundEvent)
    /// A call that Bitrix24 makes to the same host but that is no event. It is answered and counted.
    case notEvent(OtherCall)
    case malformed(MalformedCall)

    package enum OtherCall: String, Sendable, CaseIterable {
        /// A workflow robot or activity: it has `workflow_id` and `event_token` and no `event`.
        case robot
        /// A portal opens an application's page: it has `AUTH_ID` and no `event`.
        case placement
        /// The settings form of an application: `OnAppSettingsInstall`, `…Display` or `…Change`.
        case settings

        fileprivate static let settingsCodes = ["ONAPPSETTINGSINSTALL", "ONAPPSETTINGSDISPLAY", "ONAPPSETTINGSCHANGE"]
    }

    package enum MalformedCall: String, Error, Sendable, CaseIterable, CustomStringConvertible {
        case noEvent = "no-event"
        case eventNotText = "event-not-text"
        case noMemberID = "no-member-id"
        case memberIDNotText = "member-id-not-text"

        package var description: String {
            switch self {
            case .noEvent:
                "the field event is missing; send a Bitrix24 event as an application/x-www-form-urlencoded body"
            case .eventNotText: "the field event is not a text; send it once and without brackets"
            case .noMemberID: "the field auth[member_id] is missing; send the portal's member_id"
            case .memberIDNotText: "the field auth[member_id] is not a text; send it without further brackets"
            }
        }
    }

    package init(_ form: BracketForm) {
        let root = BracketForm.root
        guard let eventNode = form.child(of: root, named: "event") else {
            self = Self.withoutEvent(form)
            return
        }
        guard let code = form.scalar(eventNode) else {
            self = .malformed(.eventNotText)
            return
        }
        guard !code.isEmpty else {
            self = .malformed(.noEvent)
            return
        }
        let upperCase = String(decoding: code, as: UTF8.self).asciiUppercased()
        if OtherCall.settingsCodes.contains(upperCase) {
            self = .notEvent(.settings)
            return
        }
        guard let auth = form.child(of: root, named: "auth"), form.isMap(auth),
            let memberNode = form.child(of: auth, named: "member_id")
        else {
            self = .malformed(.noMemberID)
            return
        }
        guard let memberID = form.scalar(memberNode) else {
            self = .malformed(.memberIDNotText)
            return
        }
        guard !memberID.isEmpty else {
            self = .malformed(.noMemberID)
            return
        }
        self = .event(
            InboundEvent(
                sentCode: code,
                sentMemberID: memberID,
                code: upperCase,
                memberID: String(decoding: memberID, as: UTF8.self),
                auth: auth,
                eventType: EventCatalog.standard.eventType(for: upperCase)
            )
        )
    }

    private static func withoutEvent(_ form: BracketForm) -> InboundCall {
        let root = BracketForm.root
        if form.child(of: root, named: "workflow_id") != nil || form.child(of: root, named: "event_token") != nil {
            return .notEvent(.robot)
        }
        if form.child(of: root, named: "AUTH_ID") != nil { return .notEvent(.placement) }
        return .malformed(.noEvent)
    }
}

/// An event of a decoded form, before anybody believed it. Valid until the form decodes the next body.
package struct InboundEvent {
    /// As Bitrix24 wrote it; mostly, but not always, in upper case.
    package let sentCode: ArraySlice<UInt8>
    /// `memberID` before bytes that are not UTF-8 were replaced.
    package let sentMemberID: ArraySlice<UInt8>
    /// Upper case.
    package let code: String
    /// Claimed, not proven.
    package let memberID: String
    package let auth: BracketForm.Node
    /// `nil`: the catalog does not know the code.
    package let eventType: EventType?

    /// The presented application token. `nil`: none, or not a text.
    package func applicationToken(in form: BracketForm) -> ArraySlice<UInt8>? {
        form.scalar(of: auth, named: "application_token")
    }

    /// Events about the application itself, which an outgoing webhook has no business to send.
    ///
    /// The catalog's code counts beside the event's own: `ONOFFLINEEVENT_1` would be published as `ONOFFLINEEVENT` is.
    package var needsApplication: Bool {
        Self.concernsApplication(code) || eventType.map { Self.concernsApplication($0.code) } ?? false
    }

    /// The same of a code in upper case, for those who send events.
    package static func needsApplication(_ code: String) -> Bool {
        concernsApplication(code)
            || EventCatalog.standard.eventType(for: code).map { concernsApplication($0.code) } ?? false
    }

    private static func concernsApplication(_ code: String) -> Bool {
        code.utf8.starts(with: "ONAPP".utf8) || code == "ONOFFLINEEVENT" || code == "ONSUBSCRIPTIONRENEW"
    }

    /// Bitrix24 documents this one event without a token, which an empty one amounts to:
    /// b24restdocs, api-reference/common/events/on-app-payment.md
    package func isPaymentWithoutToken(in form: BracketForm) -> Bool {
        guard code == "ONAPPPAYMENT" else { return false }
        guard let token = form.child(of: auth, named: "application_token") else { return true }
        return form.scalar(token)?.isEmpty ?? false
    }
}

extension String {
    /// Only A to Z change, so that the result has no surprise of a language.
    func asciiUppercased() -> String {
        guard utf8.contains(where: { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) }) else { return self }
        return String(
            decoding: utf8.map { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) ? $0 - 32 : $0 },
            as: UTF8.self
        )
    }
}
