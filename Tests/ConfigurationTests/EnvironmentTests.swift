import Testing

@testable import Configuration

@Suite("Environment")
struct EnvironmentTests {
    @Test(
        "Names are split at camel case",
        arguments: [
            ("bootstrapServers", "BOOTSTRAP_SERVERS"), ("maxBodyBytes", "MAX_BODY_BYTES"), ("port", "PORT"),
            ("sasl.username", "SASL_USERNAME"), ("baseURLPath", "BASE_URL_PATH"), ("sha256Sum", "SHA256_SUM"),
            ("member-id", "MEMBER_ID"), ("ID", "ID"),
        ]
    )
    func names(key: String, name: String) {
        #expect(EnvironmentName.part(key) == name)
    }

    @Test("A variable wins over the file, and what it replaces need not be right")
    func overrides() throws {
        let reader = try reader(
            "http: {port: nonsense, hosts: 5, mode: [x]}\ntop: 1\n",
            ["APP_HTTP_PORT": "81", "APP_HTTP_HOSTS": " a, b,,c ", "APP_HTTP_MODE": "binary", "APP_TOP": "2"]
        )
        let http = reader.section("http")
        #expect(http.integer("port", default: 80, in: 1...99) == 81)
        #expect(http.strings("hosts", default: []) == ["a", "b", "c"])
        #expect(http.choice("mode", default: Mode.structured) == .binary)
        #expect(reader.integer("top", default: 0, in: 0...9) == 2)
        #expect(reader.has("top") && http.has("port") && !http.has("absent"))
        #expect(faults(reader) == [])
    }

    @Test("Without a file the environment alone configures")
    func withoutFile() throws {
        let reader = try ConfigurationReader.load(
            file: nil,
            environment: ["APP_KAFKA_BOOTSTRAP_SERVERS": "h:9092"],
            environmentPrefix: "APP"
        )
        #expect(reader.section("kafka").requiredString("bootstrapServers") == "h:9092")
        #expect(reader.section("kafka").requiredString("topic") == "")
        let fault = #expect(throws: ConfigurationFaults.self) { try reader.finish() }
        #expect(
            fault?.description
                == "environment: kafka.topic: missing; set APP_KAFKA_TOPIC in the environment, or give a configuration file"
        )
    }

    @Test("A fault about a variable names it, and knows the ones that Kubernetes sets")
    func faultsNameVariables() throws {
        let reader = try reader("", ["APP_A": "x", "APP_HTTP_PORT": "tcp://10.0.0.1:80", "APP_API_KEY": "hush"])
        _ = reader.integer("a", default: 1, in: 1...2)
        _ = reader.section("http").integer("port", default: 1, in: 1...2)
        _ = reader.integer("apiKey", default: 1, in: 1...2)
        #expect(
            faults(reader) == [
                "a: \"x\" (from APP_A) is not a whole number; give a whole number, 1 to 2",
                "http.port: \"tcp://10.0.0.1:80\" (from APP_HTTP_PORT) is not a whole number; give a whole number, 1 to 2, "
                    + "and set enableServiceLinks: false if Kubernetes set the variable for a Service",
                "apiKey: the value (from APP_API_KEY) is not a whole number; give a whole number, 1 to 2",
            ]
        )
    }

    @Test("Variables set entries of a map, by the name in the file or else with dots")
    func maps() throws {
        let reader = try reader(
            "kafka: {properties: {ssl.ca: a, my_key: b, gone: {file: /no/such}}}",
            [
                "APP_KAFKA_PROPERTIES_SASL_USERNAME": "u", "APP_KAFKA_PROPERTIES_MY_KEY": "c",
                "APP_KAFKA_PROPERTIES_GONE": "here", "APP_KAFKA_PROPERTIES_": "x", "APP_KAFKA_PROPERTIESX": "y",
            ]
        )
        let map = reader.section("kafka").stringMap("properties")
        #expect(map == ["ssl.ca": "a", "my_key": "c", "gone": "here", "sasl.username": "u"])
        #expect(faults(reader) == [])
        #expect(reader.unusedEnvironment == ["APP_KAFKA_PROPERTIESX", "APP_KAFKA_PROPERTIES_"])
    }

    @Test("Variables that nobody asked for are told, and are no fault")
    func unused() throws {
        let environment = [
            "APP_HTTP_PORT": "1", "APP_HTTP_PROT": "2", "APP_X": "3", "OTHER": "4", "APPX": "5", "APP_T": "6",
        ]
        let reader = try reader("t: {env: APP_T}", environment)
        _ = reader.section("http").integer("port", default: 1, in: 1...2)
        #expect(reader.string("t", default: "") == "6")
        #expect(reader.unusedEnvironment == ["APP_HTTP_PROT", "APP_X"])
        #expect(faults(reader) == [])
    }

    @Test("Without a prefix nothing is overridden, but references to variables work")
    func noPrefix() throws {
        let reader = try ConfigurationReader.parse(
            yaml: "a: 1\nb: {env: B}",
            name: "f",
            environment: ["A": "2", "_A": "2", "APP_A": "2", "B": "3"],
            environmentPrefix: nil
        )
        #expect(reader.string("a", default: "") == "1")
        #expect(reader.string("b", default: "") == "3")
        #expect(reader.unusedEnvironment.isEmpty)
    }
}
