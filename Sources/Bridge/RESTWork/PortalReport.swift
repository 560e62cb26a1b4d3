internal import Bitrix24REST
internal import Foundation

/// The owner's answer to an order. Which members it has is a matter of the order's kind; `error` says why there is no more.
package struct PortalReport: Sendable, Equatable, Codable {
    package struct Line: Sendable, Equatable, Codable {
        package let event: String
        /// Absent: offline.
        package let handler: String?
        /// User whose tokens the event brings; absent for whoever caused it.
        package let authType: Int64?
        package let connector: String?

        init(_ binding: EventBinding) {
            event = binding.event
            handler = binding.handler
            authType = binding.authType == 0 ? nil : binding.authType
            connector = binding.isOffline ? binding.connector : nil
        }
    }

    package struct Failure: Sendable, Equatable, Codable {
        package let event: String
        package let code: String
        package let message: String
    }

    package struct Fault: Sendable, Equatable, Codable {
        package let code: String
        package let message: String

        package init(code: String, message: String) {
            self.code = code
            self.message = message
        }
    }

    package struct Plan: Sendable, Equatable, Codable {
        package let handler: String
        package let bind: [Line]
        package let unbind: [Line]
        package let unchanged: Int
        /// Bindings of others, which stay.
        package let foreign: Int
        /// Declared codes that the event catalog does not know.
        package let unknown: [String]

        init(_ plan: BindingPlan, _ desired: DesiredBindings) {
            handler = desired.handler
            bind = plan.bind.map(Line.init)
            unbind = plan.unbind.map(Line.init)
            unchanged = plan.unchanged
            foreign = plan.foreign
            unknown = desired.unknown
        }
    }

    /// What an order to apply left undone.
    package struct Rest: Sendable, Equatable, Codable {
        package let missing: [Line]
        package let surplus: [Line]
        package let failures: [Failure]
    }

    package struct Application: Sendable, Equatable, Codable {
        package let domain: String
        package let status: String
        package let isInstalled: Bool
        package let scope: [String]
    }

    /// What the portal's queues of offline events hold, and what the owner knows of them.
    package struct Queue: Sendable, Equatable, Codable {
        package struct Source: Sendable, Equatable, Codable {
            /// Source key; empty: the queue without one.
            package var connector: String
            /// Rows in all.
            package var rows: Int
            /// Of them reserved by somebody. Absent: the portal does not tell.
            package var reserved: Int?
            /// Of them marked as erroneous. Absent: the portal does not tell.
            package var erroneous: Int?
            /// Change time of the oldest row, RFC 3339 as the portal sent it.
            package var oldest: String?

            package init(connector: String, rows: Int, reserved: Int?, erroneous: Int?, oldest: String?) {
                self.connector = connector
                self.rows = rows
                self.reserved = reserved
                self.erroneous = erroneous
                self.oldest = oldest
            }

            /// Rows that nobody has taken yet, as far as the portal tells.
            package var waiting: Int { max(0, rows - (reserved ?? 0) - (erroneous ?? 0)) }
        }

        package var sources: [Source]
        /// Since the owner owns the REST work.
        package var drained: Int
        /// Rows that the owner has reserved and not cleared yet.
        package var held: Int
        package var deadLettered: Int
        /// Milliseconds since 1970, when it was last seen empty.
        package var emptyAt: Int64?
        /// When the owner looks next at the latest.
        package var nextAt: Int64?
        /// Code of what keeps it from being drained.
        package var problem: String?
        /// Calls that the portal's rate has left.
        package var callsLeft: Int
        /// Events that are declared online and not offline: what of them was missed cannot be fetched.
        package var onlineOnly: [String]
    }

    package struct Drained: Sendable, Equatable, Codable {
        package var rows: Int
        package var deadLettered: Int
        package var recovered: Int
        package var isEmpty: Bool
        package var onlineOnly: [String]
    }

    package var plan: Plan?
    package var queue: Queue?
    package var drained: Drained?
    package var rest: Rest?
    /// Codes of what can be bound there.
    package var events: [String]?
    /// Milliseconds since 1970.
    package var testedAt: Int64?
    package var application: Application?
    package var error: Fault?

    package init() {}

    init(_ error: RESTError) { self.error = Fault(code: error.code.text, message: error.message) }

    package init(json: String) throws { self = try JSONDecoder().decode(Self.self, from: Data(json.utf8)) }

    var json: String {
        guard let data = try? JSONEncoder.oneLine.encode(self) else {
            preconditionFailure("texts and numbers can always be written as JSON")
        }
        return String(decoding: data, as: UTF8.self)
    }
}

extension PortalReport.Rest {
    init(_ outcome: Reconciler.Outcome) {
        missing = outcome.missing.map(PortalReport.Line.init)
        surplus = outcome.surplus.map(PortalReport.Line.init)
        failures = outcome.failures.map {
            PortalReport.Failure(event: $0.binding.event, code: $0.error.code.text, message: $0.error.message)
        }
    }
}
