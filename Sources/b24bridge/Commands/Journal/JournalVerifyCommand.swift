import ArgumentParser
import Bridge
import Foundation
import Journal

struct JournalVerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Read every byte of a journal and report what is damaged.",
        discussion: """
            Checks the checksum of every record, that it can be decoded, that no file is missing, and the checkpoint. \
            Changes nothing: a start of the bridge sends what can be read and keeps the rest in set-aside/ by itself.

              b24bridge journal verify --directory /mnt/journal

            Exit status: 0 all is sound, 1 there is damage or it cannot be read, 2 bad usage or configuration.
            """
    )

    @OptionGroup var location: JournalLocation

    @Flag(name: .long, help: "Print the findings as one JSON object; faults beyond the first 1000 are only counted.")
    var json = false

    func run() throws {
        ignoreBrokenPipes()
        let site = try location.inspect()
        site.warnIfInUse()
        var bar = ReadingBar("verifying", bytes: site.bytes)
        let findings = JournalVerification(of: site) { bar.update($0) }
        bar.finish()
        if json {
            try printJSON(findings)
        } else {
            try writeToStandardOutput(Self.text(findings, site))
        }
        if !findings.isSound { throw ExitCode.failure }
    }

    private static func text(_ findings: JournalVerification, _ site: JournalSite) -> String {
        var text = ""
        for fault in findings.faults {
            let path = site.parts.first { $0.name == fault.journal }?.directory.path ?? site.directory
            text += "\(fault.kind.rawValue)  \(path)/\(fault.file)"
            if let from = fault.from, let to = fault.to { text += " bytes \(from) to \(to)" }
            text += ": \(fault.text)\n"
        }
        let more = findings.faultsCounted - findings.faults.count
        if more > 0 { text += "and \(more) more\n" }
        text +=
            findings.isSound
            ? "sound" : "\(counted(findings.faultsCounted, "fault")), \(counted(findings.damagedBytes, "byte")) damaged"
        text +=
            ": \(counted(findings.records, "intact record")), \(Words.bytes(findings.bytes)) read in \(site.directory)\n"
        if findings.setAsideFiles > 0 {
            text += "\(findings.setAsideFiles) files in set-aside/ hold what earlier starts could not read.\n"
        }
        return text
    }
}
