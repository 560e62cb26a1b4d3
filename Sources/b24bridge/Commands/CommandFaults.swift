import ArgumentParser

/// Runs `body`; what it throws is printed for people, and the command fails.
func reportingFaults<T>(_ body: () throws -> T) throws -> T {
    do {
        return try body()
    } catch let code as ExitCode {
        throw code
    } catch {
        writeToStandardError("\(error)\n")
        throw ExitCode.failure
    }
}

/// Says what is wrong with the command line as the parser does, without its usage lines.
func usage(_ words: String) -> ExitCode {
    writeToStandardError("Error: \(words)\n")
    return ExitCode(2)
}
