internal import Bitrix24REST
internal import Logging

/// What the registry keeps of a portal whose queue Bitrix24 does not let the bridge read.
extension OfflineDrain {
    /// - Parameter wasAnswered: Rows could be read.
    func write(_ ending: OfflineEnding, wasAnswered: Bool, _ turn: OfflineSchedule.Turn) async {
        switch ending {
        case .failed(let code, let words, isDenied: true, _): await deny(turn, code, words)
        case .empty, .more, .full, .failed, .unsent, .cancelled: if wasAnswered { await permit(turn.memberID) }
        }
    }

    /// What was refused to tokens or to an installation that are replaced says nothing of those that are there now.
    private func deny(_ turn: OfflineSchedule.Turn, _ code: String, _ words: String) async {
        let (memberID, occasion) = (turn.memberID, turn.occasion)
        guard let before = registry.portal(memberID), before.standingDenial?.code != code,
            !occasion.isOutdated(by: WorkOccasion(before))
        else { return }
        let denied = RegisteredPortal.Offline(
            deniedSince: now(),
            code: code,
            words: "\(Self.mend(code)) (\(words))"
        )
        logger.warning(
            "offline events cannot be fetched",
            metadata: ["portal": "\(memberID)", "reason": "\(denied.words)"]
        )
        await change(memberID) { portal in
            if portal.isInstalled, !occasion.isOutdated(by: WorkOccasion(portal)) {
                portal.offline = denied
            }
        }
    }

    private func permit(_ memberID: String) async {
        guard registry.portal(memberID)?.offline != nil else { return }
        await change(memberID) { $0.offline = nil }
        logger.notice("offline events can be fetched again", metadata: ["portal": "\(memberID)"])
    }

    private func change(_ memberID: String, _ body: @escaping @Sendable (inout RegisteredPortal) -> Void) async {
        do throws(RegistryError) {
            try await registry.changeKnown(memberID, body)
        } catch {
            logger.error(
                "what became of a portal's offline events could not be stored",
                metadata: ["portal": "\(memberID)", "error": "\(error)"]
            )
        }
    }

    /// Codes that an administrator mends by opening the application.
    static let needsAdministrator = ["access_denied", Reconciler.notAdministrator.text]

    private static func mend(_ code: String) -> String {
        switch code {
        case "wrong_license":
            "the portal's plan does not let applications read offline events without deleting them; it needs the plan "
                + "Professional or above, or declare these events as online"
        case let code where needsAdministrator.contains(code):
            "the user in whose name the bridge calls is no administrator of the portal, or its plan has no REST; an "
                + "administrator must open the application there, or install it again"
        case "insufficient_scope":
            "the application lacks a scope; add it in the application's settings, and install it again"
        default:
            "the application may not read offline events with the token that it has; an administrator must install it again"
        }
    }
}

extension RegisteredPortal {
    /// `offline`, unless somebody installed or authorised since.
    var standingDenial: Offline? {
        guard let offline,
            max(installation?.installedAt ?? .min, authorization?.grantedAt ?? .min) <= offline.deniedSince
        else { return nil }
        return offline
    }
}
