internal import Bitrix24

/// The events that one word of the configuration selects: a code in any case, or an entity of the catalog such as
/// `crm.deal` for all its events.
///
/// A code that the catalog does not know is taken as it is: portals may be newer than this program.
enum EventSelection: Equatable {
    case codes([String])
    case fault(String)

    /// Bitrix24 binds it by itself, to the application's own address of installation.
    static let boundByBitrix24: Set<String> = ["ONAPPINSTALL", "ONAPPUPDATE"]
    static let wakeUp = "ONOFFLINEEVENT"
    static let wakeUpType = EventCatalog.standard.eventType(for: wakeUp)
    /// Without these the bridge learns neither of its removal nor of a token.
    static let always: Set<String> = ["ONAPPTEST", "ONAPPUNINSTALL"]

    init(_ word: String, isOffline: Bool) {
        let ofEntity = EventCatalog.standard.eventTypes.filter { $0.entity == word.lowercased() }.map(\.code)
            .filter { !Self.boundByBitrix24.contains($0) }
        let code = word.uppercased()
        if isOffline, code == Self.wakeUp || ofEntity == [Self.wakeUp] {
            // Source: b24restdocs, api-reference/events/on-offline-event.md
            self = .fault(
                "has \(Self.wakeUp), which cannot be bound offline; leave it out: with event in offline.wakeBy it is bound "
                    + "online by itself"
            )
        } else if !ofEntity.isEmpty {
            self = .codes(ofEntity)
        } else if Self.boundByBitrix24.contains(code) {
            self = .fault("has \(code), which Bitrix24 binds by itself; leave it out")
        } else if Self.isCode(code) {
            self = .codes([code])
        } else {
            self = .fault(
                "has \(word.prefix(64).debugDescription), which is no event; give a code such as ONCRMDEALADD or an entity "
                    + "such as crm.deal"
            )
        }
    }

    /// `ONCRMDEALADD`, `CATALOG.PRODUCT.ON.ADD`: what has a dot and no `.ON.` is an entity that was misspelled.
    private static func isCode(_ code: String) -> Bool {
        guard code.wholeMatch(of: /[A-Z][A-Z0-9_.]{2,99}/) != nil else { return false }
        return code.contains(".") ? code.contains(".ON.") : code.hasPrefix("ON")
    }
}
