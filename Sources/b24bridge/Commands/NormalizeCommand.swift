import ArgumentParser
import Bitrix24
import Foundation

struct NormalizeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "normalize",
        abstract: "Show what event bodies become, without a server, a configuration or Kafka.",
        discussion: """
            Reads raw form bodies on standard input, one a line, and prints one line of JSON for each: \
            {"topic","key","headers","value"} as the bridge would send it, or {"error"}. It is the code of the receiver; \
            only the portal's token and the size limits are not checked (the origin is always "online") and there is no "sequence".

              echo 'event=ONCRMDEALADD&data[FIELDS][ID]=7&auth[member_id]=a223' |
                b24bridge normalize

            Exit status: 0 every line became a record, 1 at least one did not, 2 bad usage.
            """
    )

    func run() throws {
        var printer = try NormalizedLines()
        var failed = false
        if isatty(STDIN_FILENO) == 1 {
            writeToStandardError("Type or paste bodies, one a line; end with Ctrl-D.\n")
        }
        guard let input = fdopen(STDIN_FILENO, "r") else { throw unreadable() }
        while let line = readRawLine(of: input) {
            let (text, isError) = printer.line(for: line)
            failed = failed || isError
            // Whoever read the results has gone.
            guard try writeToStandardOutput(text) else { throw ExitCode.failure }
        }
        if ferror(input) != 0 { throw unreadable() }
        if failed { throw ExitCode.failure }
    }

    private func unreadable() -> ExitCode {
        writeToStandardError("standard input is closed or cannot be read; give the bodies there, one a line\n")
        return .failure
    }
}
