/// The status for people, at `/` of the admin port: one page without scripts or assets that reloads itself.
package enum StatusPage {
    static func html(_ report: StatusReport) -> String {
        let state = report.ready ? "ready" : "not ready"
        var rows: [(String, String)] = [
            ("State", state + (report.obstacles.isEmpty ? "" : ": " + report.obstacles.joined(separator: "; "))),
            ("Version", report.version), ("Up", duration(report.uptimeSeconds)), ("Portals", "\(report.portals)"),
            ("Open connections", "\(report.connections)"), ("May send", senders(report.senders)),
            ("Kafka", report.kafka.unreachable.map { "unreachable: \($0)" } ?? report.kafka.bootstrapServers),
            ("Waiting for Kafka", "\(report.kafka.waitingRecords) records"),
            ("Oldest of them", report.kafka.oldestUndeliveredSeconds.map { duration(Int($0)) } ?? "none"),
            ("Handed to librdkafka", "\(report.kafka.queuedRecords) records, \(bytes(report.kafka.queuedBytes))"),
            ("Journal", journal(report.journal)),
            ("Parked", "\(report.kafka.parkedRecords) records, \(journal(report.parked))"),
        ]
        if let registry = report.registry { rows.append(("Registry", self.registry(registry))) }
        if let offline = report.offline { rows.append(("Offline events", words(offline))) }
        if let token = report.kafka.token { rows.append(("Token for Kafka", words(token))) }
        if let installations = report.installations {
            rows.append(("Installations to verify", "\(installations.callsToVerify)"))
            rows.append(
                (
                    "Waiting for a portal's token",
                    "\(installations.waitingRecords) events, \(bytes(installations.waitingBytes))"
                )
            )
        }
        for topic in report.kafka.refusingTopics {
            rows.append(
                (
                    "Topic \(topic.topic)",
                    "refuses its records since \(duration(topic.seconds))\(topic.parked ? ", parked" : ""): \(topic.error)"
                )
            )
        }
        let table = rows.map { "<tr><th>\(escaped($0.0))</th><td>\(escaped($0.1))</td></tr>" }.joined(separator: "\n")
        return """
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="5">
            <meta name="viewport" content="width=device-width"><title>b24bridge \(escaped(report.replica)): \(state)</title>
            <style>
            body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:52rem;padding:0 1rem;color:#1b1f24}
            h1{font-size:1.3rem}.dot{color:\(report.ready ? "#1a7f37" : "#b42318")}
            table{border-collapse:collapse;width:100%}th{text-align:left;font-weight:500;width:14rem;vertical-align:top}
            th,td{padding:.35rem .5rem;border-bottom:1px solid #d8dee4;overflow-wrap:anywhere}
            </style></head><body>
            <h1><span class="dot">&#9679;</span> b24bridge \(escaped(report.replica))</h1>
            <table>\(table)</table>
            <p><a href="/status">status as JSON</a> &middot; <a href="/metrics">metrics</a></p>
            </body></html>

            """
    }

    private static func words(_ token: StatusReport.KafkaPart.Token) -> String {
        let left = token.secondsLeft.map { $0 > 0 ? "good for \(duration($0))" : "expired" } ?? "none yet"
        return left + (token.failure.map { "; no new one: \($0)" } ?? "")
    }

    private static func words(_ part: StatusReport.OfflinePart) -> String {
        var words = ["\(counted(part.portals, "portal")) with a queue", "\(counted(part.drainedRows, "row")) drained"]
        if part.heldRows > 0 { words.append("\(part.heldRows) held") }
        if part.deadLetteredRows > 0 {
            words.append(
                "\(counted(part.deadLetteredRows, "row")) became \(part.deadLetteredRows == 1 ? "a dead letter" : "dead letters")"
            )
        }
        words.append(part.lagSeconds.map { "the oldest change is \(duration(Int($0))) old" } ?? "nothing waits")
        if part.portalsDenied > 0 { words.append("\(counted(part.portalsDenied, "portal")) cannot be drained") }
        return words.joined(separator: ", ") + (part.paused.map { "; paused: \($0)" } ?? "")
    }

    private static func senders(_ part: StatusReport.SendersPart) -> String {
        let lists = part.lists.map { list in
            let age = list.ageSeconds.map { "fetched \(duration($0)) ago" } ?? "never fetched"
            return "; \(list.name): \(counted(list.entries, "network")), \(age)"
                + (list.failure.map { ", \($0)" } ?? "")
        }
        return (part.allowedNetworks.map { counted($0, "network") } ?? "everybody") + lists.joined()
    }

    private static func registry(_ part: StatusReport.RegistryPart) -> String {
        var words = RegisteredPortal.State.allCases.compactMap { state in
            part.states[state.rawValue].map { "\($0) \(state.words)" }
        }
        if words.isEmpty { words = ["no portals"] }
        words.append(part.read ? "read" : "not read yet" + (part.fault.map { " (\($0))" } ?? ""))
        if part.unconfirmed > 0 { words.append("\(part.unconfirmed) with changes that Kafka has not confirmed") }
        words.append(part.owner ? "does the REST work" : "does not do the REST work")
        return words.joined(separator: ", ")
    }

    private static func journal(_ part: StatusReport.JournalPart) -> String {
        "\(part.state), \(Int(part.fillRatio * 100)) % full (\(timeLeft(part.secondsUntilFull))), "
            + "\(bytes(part.bytes)) of \(bytes(part.maxBytes)) in \(part.segments) segments"
    }

    static func timeLeft(_ secondsUntilFull: Double?) -> String {
        secondsUntilFull.map { "full in \(duration(Int($0))) at the present rate" } ?? "not growing"
    }

    package static func bytes(_ count: Int) -> String {
        var value = Double(count)
        for unit in ["B", "KiB", "MiB", "GiB", "TiB"] {
            if value < 1024 || unit == "TiB" {
                return unit == "B" ? "\(count) B" : "\((value * 10).rounded() / 10) \(unit)"
            }
            value /= 1024
        }
        return "\(count) B"
    }

    package static func duration(_ seconds: Int) -> String {
        switch seconds {
        case ..<120: "\(seconds) s"
        case ..<7200: "\(seconds / 60) min"
        case ..<172_800: "\(seconds / 3600) h"
        default: "\(seconds / 86_400) days"
        }
    }

    private static func escaped(_ text: String) -> String {
        text.reduce(into: "") { result, character in
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            default: result.append(character)
            }
        }
    }
}
