import Dispatch
import Foundation
import Testing

struct NotInTime: Error, CustomStringConvertible {
    let description: String
}

/// Looks every few milliseconds until there is a value; fails with words when there is none in time.
func eventually<T>(
    _ what: String,
    within limit: Duration = .seconds(20),
    sourceLocation: SourceLocation = #_sourceLocation,
    isolation: isolated (any Actor)? = #isolation,
    _ look: () async throws -> T?
) async throws -> T {
    let deadline = ContinuousClock.now + limit
    while true {
        if let value = try await look() { return value }
        guard ContinuousClock.now < deadline else {
            Issue.record("not within \(limit): \(what)", sourceLocation: sourceLocation)
            throw NotInTime(description: what)
        }
        try await Task.sleep(for: .milliseconds(10))
    }
}

func eventually(
    _ what: String,
    within limit: Duration = .seconds(20),
    sourceLocation: SourceLocation = #_sourceLocation,
    isolation: isolated (any Actor)? = #isolation,
    isTrue: () async throws -> Bool
) async throws {
    let _: Bool = try await eventually(what, within: limit, sourceLocation: sourceLocation) {
        try await isTrue() ? true : nil
    }
}

/// Runs something that blocks on a thread of its own.
func onThread<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
    try await withCheckedThrowingContinuation { continuation in
        let thread = Thread { continuation.resume(with: Result { try body() }) }
        thread.start()
    }
}
