public import ArgumentParser
public import Logging
package import Telemetry

extension LogFormat: ExpressibleByArgument {}
extension Logger.Level: @retroactive ExpressibleByArgument {}

struct LogOptions: ParsableArguments {
    @Option(name: .long, help: "json: one object a line, for machines. text: for people.")
    var logFormat: LogFormat?

    @Option(name: .long, help: "Least level of a log line: trace, debug, info, notice, warning, error, critical.")
    var logLevel: Logger.Level = .info

    /// Log lines go to standard error; results go to standard output.
    func makeLogger(defaultFormat: LogFormat) -> (logger: Logger, output: LogOutput) {
        let output = LogOutput(format: logFormat ?? defaultFormat)
        var logger = Logger(label: "b24bridge") { label in output.handler(label: label) }
        logger.logLevel = logLevel
        return (logger, output)
    }
}
