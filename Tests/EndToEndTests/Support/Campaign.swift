import Foundation

/// The fault campaign: suites whose names end in `FaultTests`. Their short form is part of `make test`; `make faults` runs
/// them long and large.
enum Campaign {
    /// `B24_FAULTS=full` in the environment.
    static let isFull = ProcessInfo.processInfo.environment["B24_FAULTS"] == "full"

    static func pick<T>(short: T, full: T) -> T { isFull ? full : short }

    /// One line of figures at the end of a scenario, by which `make faults` finds it.
    static func report(_ scenario: String, _ figures: String) {
        print("fault: \(scenario): \(figures)")
        fflush(nil)
    }
}
