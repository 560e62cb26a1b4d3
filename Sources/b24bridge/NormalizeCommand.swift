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
            only the portal's token is not checked (the origin is always "online") and there is no "sequence".

              echo 'event=ONCRMDEALADD&data[FIELDS][ID]=7&auth[member_id]=a223' | b24bridge normalize
            """
    )

    func run() throws {
        var printer = try NormalizedLines()
        var failed = false
        guard let input = fdopen(STDIN_FILENO, "r") else { throw CleanExit.message("standard input is closed") }
        while let line = readRawLine(of: input) {
            let (text, isError) = printer.line(for: line)
            failed = failed || isError
            FileHandle.standardOutput.write(Data(text))
        }
        if failed { throw ExitCode.failure }
    }
}
