internal import Bitrix24
internal import Logging
internal import ServiceLifecycle

/// Lets the events of a portal go on as soon as its application token is known, here or at another replica: into the journal
/// in order if the token is theirs, else as dead letters. Its later events wait behind them until the last is committed.
struct WaitingRelease: Service, CustomStringConvertible {
    let room: WaitingRoom
    let inbox: InstallInbox
    let outcomes: InstallOutcomes
    let registry: PortalRegistry
    let intake: IntakeContext
    let writer: JournalWriter

    var description: String { "WaitingRelease" }

    /// How long a token may be known before its portal's events go on.
    private static let pause: Duration = .milliseconds(100)
    /// Between two tries where the journal takes nothing.
    private static let patience: Duration = .seconds(1)

    func run() async throws {
        await cancelWhenGracefulShutdown {
            for await _ in room.bell.rings {
                // Nobody tells when a token has come into force.
                while room.isOccupied, !Task.isCancelled {
                    await releaseAll()
                    try? await Task.sleep(for: Self.pause)
                }
            }
        }
    }

    private func releaseAll() async {
        let portals = intake.portals.directory
        for memberID in room.memberIDs {
            // A portal that is not known may only be not known yet.
            guard portals[memberID].map({ $0.standing != .awaitingToken }) ?? registry.isRead else { continue }
            var judge = WaitingJudge(intake: intake, portals: portals)
            var count = 0
            while let file = room.first(of: memberID), !Task.isCancelled {
                do {
                    let payloads = try await room.payloads(of: file)
                    let before = judge.admitted
                    guard await goOn(payloads, &judge) else { return }
                    intake.activity.heard(memberID, judge.admitted - before, at: judge.admittedAt)
                    try await room.remove(file, of: memberID)
                    count += payloads.count
                } catch {
                    // The disk or the shutdown: they stay, and are looked at again.
                    return
                }
            }
            guard count > 0 else { continue }
            intake.logger.notice(
                "events that waited for a portal's application token go on",
                metadata: [
                    "portal": "\(memberID)", "published": "\(judge.admitted)",
                    "deadLetters": "\(count - judge.admitted)",
                ]
            )
        }
    }

    /// Waits for room where there is none.
    ///
    /// - Returns: false when the shutdown came first. What is committed by then comes again, with the same ids.
    private func goOn(_ payloads: [[UInt8]], _ judge: inout WaitingJudge) async -> Bool {
        var records: [JournalWriter.Record] = []
        var farewells: [UnverifiedCall] = []
        for payload in payloads {
            guard let event = WaitingEvent(payload) else { continue }
            var judged = judge.judge(event)
            while judged == nil {
                guard (try? await Task.sleep(for: Self.patience)) != nil else { return false }
                judged = judge.judge(event)
            }
            guard let result = judged else { continue }
            records += result.records
            if let farewell = result.farewell { farewells.append(farewell) }
        }
        // The journal holds a bounded number of bytes that are not committed.
        var rest = records[...]
        while !rest.isEmpty {
            let committed = await writer.append(Array(rest.prefix(256)))
            rest = rest.dropFirst(committed)
            if committed == 0 {
                guard (try? await Task.sleep(for: Self.patience)) != nil else { return false }
            }
        }
        for farewell in farewells {
            let outcomes = outcomes
            inbox.put(farewell) { if let refusal = $0 { outcomes.notTaken(refusal) } }
        }
        return true
    }
}
