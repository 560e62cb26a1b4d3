import Bitrix24

/// Which events are sent, and how often each.
package struct EventMix: Sendable {
    package struct Kind: Sendable {
        package let code: String
        let weight: UInt32
        let shape: EventShape
        let needsApplication: Bool
    }

    package let kinds: [Kind]

    /// What a portal with a busy sales team sends: above all changes of deals.
    package static let usual = EventMix([
        ("ONCRMDEALUPDATE", 30), ("ONCRMCONTACTUPDATE", 10), ("ONCRMDEALADD", 8), ("ONCRMLEADUPDATE", 8),
        ("ONTASKUPDATE", 8), ("ONCRMLEADADD", 6), ("ONTASKCOMMENTADD", 6), ("ONCRMCONTACTADD", 4),
        ("ONOPENLINEMESSAGEADD", 4), ("ONIMCONNECTORMESSAGEADD", 4), ("ONCRMDEALMOVETOCATEGORY", 3),
        ("ONCRMDYNAMICITEMUPDATE", 3), ("ONTASKADD", 3), ("ONCALENDARENTRYADD", 2), ("ONCRMDEALDELETE", 1),
    ])

    private init(_ weights: [(code: String, weight: UInt32)]) {
        kinds = weights.compactMap { code, weight in EventShape(of: code).map { Kind(code, weight, $0) } }
    }

    /// These codes, equally often.
    ///
    /// - Throws: `SimulationError` for what is no code, or an event without a place for the marker.
    package init(codes: [String]) throws(SimulationError) {
        var kinds: [Kind] = []
        for code in codes.map({ $0.uppercased() }) where !kinds.contains(where: { $0.code == code }) {
            let isLegal = code.utf8.allSatisfy { byte in
                (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: ".")
                    || byte == UInt8(ascii: "_")
            }
            guard isLegal, !code.isEmpty else {
                throw SimulationError("\"\(code)\" is no event code; give codes such as ONCRMDEALUPDATE")
            }
            guard let shape = EventShape(of: code) else {
                throw SimulationError(
                    "\(code) cannot be simulated: its data has no room for the mark by which it is found again"
                )
            }
            kinds.append(Kind(code, 1, shape))
        }
        guard !kinds.isEmpty else { throw SimulationError("no event code is given; name at least one") }
        self.kinds = kinds
    }

    /// Codes that the event catalog does not know.
    package var unknownCodes: [String] {
        kinds.map(\.code).filter { EventCatalog.standard.eventType(for: $0) == nil }
    }
}

extension EventMix.Kind {
    fileprivate init(_ code: String, _ weight: UInt32, _ shape: EventShape) {
        self.code = code
        self.weight = weight
        self.shape = shape
        needsApplication = InboundEvent.needsApplication(code)
    }
}

/// Why a simulation cannot begin or go on, in words for a person.
package struct SimulationError: Error, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
