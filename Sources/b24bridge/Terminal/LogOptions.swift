public import ArgumentParser
public import Logging
package import Telemetry

extension LogFormat: ExpressibleByArgument {}
extension Logger.Level: @retroactive ExpressibleByArgument {}

struct LogOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "json is one object a line, text is for people. Default: json for serve, text for serve --dev and replay.",
            valueName: "format"
        )
    )
    var logFormat: LogFormat?

    @Option(name: .long, help: ArgumentHelp("Lines below this level are left out.", valueName: "level"))
    var logLevel: Logger.Level = .info

    /// Log lines go to standard error; results go to standard output.
    func makeLogger(defaultFormat: LogFormat) -> (logger: Logger, output: LogOutput) {
        let output = LogOutput(format: logFormat ?? defaultFormat)
        var logger = Logger(label: "b24bridge") { label in output.handler(label: label) }
        logger.logLevel = logLevel
        return (logger, output)
    }
}
