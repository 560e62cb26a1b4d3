import Bridge
import Foundation
import Locks
import Simulation
import Synchronization

/// The report of a simulation for people.
enum SimulationReportText {
    static func text(_ report: SimulationReport) -> String {
        var table = TextTable([("what", .left), ("number", .right), ("", .left)])
        let perSecond = report.seconds > 0 ? Double(report.sent) / report.seconds : 0
        table.add([
            "sent", "\(report.sent)",
            String(
                format: "%.1f s, %.0f/s, ",
                report.seconds,
                perSecond
            ) + "\(counted(report.connections, "connection")), \(counted(report.keys, "key"))",
        ])
        table.add(["acknowledged", "\(report.acknowledged)", "answered with 200"])
        let statuses = report.refusedByStatus.sorted { $0.key < $1.key }.map { "\($0.value) with \($0.key)" }
        table.add(["refused", "\(report.refused)", statuses.joined(separator: ", ")])
        table.add([
            "unanswered", "\(report.unanswered)",
            report.notConnected > 0 ? "\(report.notConnected) of them without a connection" : "",
        ])
        if report.notPosted > 0 {
            table.add(["not posted", "\(report.notPosted)", "due, but the connections were busy"])
        }
        if let delivery = report.delivery {
            table.add(["delivered", "\(delivery.delivered)", unacknowledged(delivery)])
            table.add(["duplicates", "\(delivery.duplicates)", "same id; allowed"])
            for must in delivery.musts {
                table.add([must.name, "\(must.count)", must.count == 0 ? "ok" : "MUST BE 0"])
            }
        }
        var text = table.text
        if let times = report.answerMilliseconds {
            text += String(
                format: "\nanswer times: p50 %.1f ms, p99 %.1f ms, max %.1f ms\n",
                times.p50,
                times.p99,
                times.max
            )
        }
        text += "verdict: " + verdict(report) + "\n"
        for (name, examples) in report.delivery?.examples.sorted(by: { $0.key < $1.key }) ?? [] {
            text += "\n\(name), the first of them:\n"
            for example in examples {
                text +=
                    "  event \(example.number)  portal \(example.portal ?? "?")  topic \(example.topic)  key \(example.key)\n"
            }
        }
        return text
    }

    private static func unacknowledged(_ delivery: SimulationReport.Delivery) -> String {
        delivery.deliveredUnacknowledged > 0
            ? "\(delivery.deliveredUnacknowledged) of them not acknowledged; allowed" : ""
    }

    private static func verdict(_ report: SimulationReport) -> String {
        if report.acknowledged == 0 { return "bad, nothing was acknowledged" }
        if let delivery = report.delivery, !delivery.isGood {
            return "bad, "
                + delivery.musts.filter { $0.count > 0 }.map { "\($0.count) \($0.name)" }.joined(separator: ", ")
        }
        if report.end == .noAnswer { return "bad, the run ended early" }
        return report.delivery == nil ? "not verified, see --verify" : "good"
    }

    /// What a person should know beside the figures.
    static func remarks(_ report: SimulationReport) -> [String] {
        var lines: [String] = []
        if report.end == .noAnswer {
            lines.append(
                "Nobody has answered at \(report.url) for some time (\(report.lastFailure ?? "no answer in time")), so "
                    + "the run ended early. With --hold it goes on through an outage."
            )
        }
        if report.refusedByStatus[403] != nil {
            lines.append("403: the bridge does not know the portal or the token; give both the same portals file.")
        }
        if report.refusedByStatus.keys.contains(where: { (300..<400).contains($0) }) {
            lines.append("A redirect is a lost event: Bitrix24 does not follow it. Give --url the final address.")
        }
        if report.refusedByStatus.keys.contains(where: { $0 == 404 || $0 == 405 }) {
            lines.append("404 or 405: nobody takes events there; --url must lead to the bridge's http.path.")
        }
        guard let delivery = report.delivery else { return lines }
        if delivery.skippedOffsets > 0 {
            lines.append(
                "\(delivery.skippedOffsets) offsets were skipped: the cluster had deleted records before they were read. What "
                    + "is missing may be among them."
            )
        }
        if let complaint = delivery.readerComplaint { lines.append("Reading Kafka fails: \(complaint)") }
        if delivery.musts.contains(where: { $0.name == "acknowledgedMissing" && $0.count > 0 }) {
            lines.append(
                "Missing events may still arrive, if the bridge has no way to Kafka at the moment; wait longer with --timeout. "
                    + "Look also whether bridge and simulation mean the same cluster, and at the bridge's /status."
            )
        }
        return lines
    }
}

/// How a run goes, in one line of the terminal.
final class ProgressDisplay: Sendable {
    private let bar: Guarded<ProgressBar>
    private let isVerified: Bool

    init(total: Int?, isVerified: Bool) {
        bar = Guarded(ProgressBar("simulate", total: total))
        self.isVerified = isVerified
    }

    func show(_ progress: EventSimulation.Progress) {
        bar.withLock { $0.update(progress.sent, words(progress)) }
    }

    func finish() { bar.withLock { $0.finish() } }

    private func words(_ progress: EventSimulation.Progress) -> String {
        if progress.phase == .connecting { return "waits for an answer" }
        var words: [String] = []
        if progress.phase == .sending {
            let seconds = max(progress.elapsed / .seconds(1), 0.001)
            words.append(String(format: "%.0f/s", Double(progress.sent) / seconds))
        }
        if let p50 = progress.p50, let p99 = progress.p99 {
            words.append(String(format: "p50 %.1f ms, p99 %.1f ms", p50 / .milliseconds(1), p99 / .milliseconds(1)))
        }
        words.append("\(progress.failed) failed")
        if isVerified { words.append("\(progress.delivered) delivered") }
        if progress.phase == .waiting { words.append("waits for \(progress.outstanding) more") }
        return words.joined(separator: ", ")
    }
}
