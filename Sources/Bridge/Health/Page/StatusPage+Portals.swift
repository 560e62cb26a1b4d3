/// The portals.
extension StatusPage {
    var portalList: Markup {
        let states = report.registry?.states ?? [:]
        let chips = RegisteredPortal.State.allCases.compactMap { state -> Markup? in
            states[state.rawValue].map { "<li>\(Self.badge(state.grade, "\(Words.number($0)) \(state.words)"))</li>" }
        }
        let all: Markup = find.isEmpty ? "" : "<a href=\"./\">show all</a>"
        // What stands before the form is always there: the script goes by places, and the form is to stay the same.
        return Self.section(
            "portals",
            "Portals",
            """
            <ul class="chips">\(chips)</ul>
            <form role="search"><label for="find">Find a portal</label>
            <input id="find" name="find" type="search" value="\(find)" maxlength="\(Self.longestFind)" \
            autocomplete="off" spellcheck="false" placeholder="domain or member_id">
            <button>Find</button> \(all)</form>
            \(found)
            """
        )
    }

    /// Of what people look for, in scalars.
    static let longestFind = 100

    private var found: Markup {
        let shown = portals.portals.prefix(Self.limit)
        guard !shown.isEmpty else {
            return find.isEmpty
                ? "<p>No portal is known yet.</p>" : "<p>No portal matches <b>\(find)</b>.</p>"
        }
        let of =
            find.isEmpty ? counted(portals.found, "portal") : "\(Words.number(portals.found)) that match “\(find)”"
        let words =
            portals.found > shown.count
            ? "\(Words.number(shown.count)) of \(of): those first that need somebody, then those heard of lately"
            : "\(of.prefix(1).uppercased())\(of.dropFirst())"
        return """
            <p>\(words)</p>
            \(Self.table(
                [("Portal", false), ("State", false), ("Last event", true), ("Events", true)],
                shown.map(row)
            ))
            """
    }

    private func row(_ portal: PortalStatus) -> [Markup] {
        let state = RegisteredPortal.State(rawValue: portal.state)
        let words = state?.words ?? (portal.state == "file" ? "in the file" : portal.state)
        let silent: Markup? = portal.silent ? " \(Self.badge(.warn, "silent"))" : nil
        let usual: Markup? = portal.longestSilenceSeconds.flatMap {
            portal.silent ? "<small>longest pause \(Words.duration($0))</small>" : nil
        }
        let name: Markup =
            portal.domain.map { "\($0)<small>\(portal.memberId)</small>" } ?? "\(portal.memberId)"
        return [
            name, "\(Self.badge(state?.grade ?? .plain, words))\(silent)",
            "\(portal.lastEventSecondsAgo.map(ago) ?? "none yet")\(usual)", "\(Words.number(portal.events))",
        ]
    }
}

extension RegisteredPortal.State {
    fileprivate var grade: StatusPage.Grade {
        switch self {
        case .connected: .good
        case .installing, .gone: .plain
        case .awaitingToken, .needsAuthorization, .offlineDenied: .warn
        }
    }
}
