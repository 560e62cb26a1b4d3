import Testing

@Suite struct UsageTests {
    @Test(arguments: [
        ["nonsense"], ["serve", "--nonsense"], ["serve", "--config"], ["serve", "--log-level", "loud"],
        ["serve", "--log-format", "xml"], ["serve", "--dev", "--config", "b24bridge.yaml"],
        ["check", "--timeout", "0"],
        ["normalize", "file.txt"],
    ])
    func badUsageIsExplainedOnStandardErrorWithStatusTwo(arguments: [String]) async throws {
        let result = try await runBridge(arguments)
        #expect(result.end == .exit(2))
        #expect(result.output.isEmpty)
        #expect(result.errors.contains("Usage: b24bridge"), "\(result.errors)")
        #expect(result.errors.contains("--help"))
    }

    @Test(arguments: [
        ([], ["serve", "check", "normalize", "b24bridge serve --dev", "Exit status"]),
        (["serve"], ["--config", "--dev", "--log-level", "SIGTERM", "b24bridge serve --config"]),
        (["check"], ["--config", "--json", "--timeout", "b24bridge check --config", "Exit status"]),
        (["normalize"], ["b24bridge normalize", "{\"error\"}", "Exit status"]),
    ])
    func helpTeaches(command: [String], words: [String]) async throws {
        let result = try await runBridge(command + ["--help"])
        #expect(result.end == .exit(0))
        #expect(result.errors.isEmpty)
        for word in words { #expect(result.output.contains(word), "\(word) in \(result.output)") }
        #expect(!result.output.contains("OVERVIEW: \n"))
    }

    @Test func theVersionIsOneLine() async throws {
        let result = try await runBridge(["--version"])
        #expect(result.end == .exit(0))
        #expect(result.output.wholeMatch(of: /\d+\.\d+\.\d+\n/) != nil, "\(result.output)")
    }

    /// Commands of a help text must survive copying: none may be broken by the wrapping of lines, which comes at 80 columns.
    @Test(arguments: [
        [], ["serve"], ["check"], ["normalize"], ["journal"], ["journal", "inspect"], ["journal", "verify"],
        ["journal", "export"], ["journal", "replay"], ["journal", "reroute"], ["dead-letters"],
        ["dead-letters", "list"], ["dead-letters", "requeue"], ["simulate"], ["simulate", "events"],
        ["simulate", "portal"], ["simulate", "portals"], ["offline"], ["offline", "status"], ["offline", "drain"],
        ["offline", "recover"],
    ])
    func examplesInTheHelpAreWholeLines(command: [String]) async throws {
        let result = try await runBridge(command + ["--help"], environment: ["COLUMNS": "1000"])
        let lines = result.output.split(separator: "\n", omittingEmptySubsequences: false)
        var examples = 0
        var isContinued = false
        for line in lines {
            let words = line.drop { $0 == " " }
            let isExample = line.hasPrefix("  ") && words.hasPrefix("b24bridge ") || isContinued
            isContinued = isExample && (line.hasSuffix("\\") || line.hasSuffix("|"))
            guard isExample else {
                #expect(!line.hasPrefix("b24bridge "), "\(line)")
                continue
            }
            examples += 1
            #expect(line.count <= 78, "\(line)")
        }
        #expect(examples > 0)
    }
}
