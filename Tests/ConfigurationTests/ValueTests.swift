import Testing

@testable import Configuration

enum Mode: String, CaseIterable {
    case structured
    case binary
}

@Suite("Values")
struct ValueTests {
    @Test("What is absent, null or under an absent section reads as its default, without a fault")
    func defaults() throws {
        let reader = try reader("a: null\nb: ~\nc:\nhttp:\n")
        for key in ["a", "b", "c", "d"] {
            #expect(reader.string(key, default: "x") == "x")
            #expect(reader.optionalString(key) == nil)
            #expect(reader.integer(key, default: 7, in: 1...9) == 7)
            #expect(reader.boolean(key, default: true))
            #expect(reader.duration(key, default: .seconds(3), in: .zero ... .seconds(9)) == .seconds(3))
            #expect(reader.bytes(key, default: 5, in: 1...9) == 5)
            #expect(reader.choice(key, default: Mode.binary) == .binary)
            #expect(reader.strings(key, default: ["z"]) == ["z"])
            #expect(reader.stringMap(key).isEmpty)
            #expect(reader.sections(key).isEmpty)
            #expect(!reader.has(key))
        }
        #expect(reader.section("http").section("deeper").integer("port", default: 1, in: 1...2) == 1)
        #expect(faults(reader) == [])
    }

    @Test("Text stays as it is written, quoted null is text")
    func textAsWritten() throws {
        let reader = try reader(
            "a: 007\nb: yes\nc: 1.0\nd: 'null'\ne: \"x\\ny\"\nf: |\n  block\ng: ''\nh: 2026-01-31\n"
        )
        let read = ["a", "b", "c", "d", "e", "f", "g", "h"].map { reader.string($0, default: "absent") }
        #expect(read == ["007", "yes", "1.0", "null", "x\ny", "block\n", "", "2026-01-31"])
        #expect(faults(reader) == [])
    }

    @Test(
        "Whole numbers",
        arguments: [("8080", 8080), ("900_000", 900_000), ("-5", -5), ("0", 0), ("'42'", 42), ("-0", 0)]
    )
    func integers(written: String, number: Int) throws {
        let reader = try reader("n: \(written)")
        #expect(reader.integer("n", default: 1, in: Int.min...Int.max) == number)
        #expect(faults(reader) == [])
    }

    @Test(
        "What is not a whole number in range",
        arguments: [
            ("99999", "n: 99999 is outside 1 to 65535; give a number in that range"),
            ("0", "n: 0 is outside 1 to 65535; give a number in that range"),
            ("99999999999999999999", "n: 99999999999999999999 is outside 1 to 65535; give a number in that range"),
            ("abc", "n: \"abc\" is not a whole number; give a whole number, 1 to 65535"),
            ("1.5", "n: 1.5 is not a whole number; give a whole number, 1 to 65535"),
            ("0x10", "n: 0x10 is not a whole number; give a whole number, 1 to 65535"),
            ("''", "n: \"\" is not a whole number; give a whole number, 1 to 65535"),
            ("'+5'", "n: \"+5\" is not a whole number; give a whole number, 1 to 65535"),
            ("010", "n: 010 begins with 0, which some read as octal; leave the 0 out"),
            ("[1]", "n: found a list; give a whole number, 1 to 65535"),
            ("{a: 1}", "n: found a mapping; give a whole number, 1 to 65535, {file: PATH} or {env: NAME}"),
            ("!vault x", "n: found a value with the tag !vault; give a whole number, 1 to 65535"),
        ]
    )
    func badIntegers(written: String, fault: String) throws {
        let reader = try reader("n: \(written)")
        #expect(reader.integer("n", default: 80, in: 1...65535) == 80)
        #expect(faults(reader) == [fault])
    }

    @Test("true and false in their spellings, and nothing else")
    func booleans() throws {
        let reader = try reader("a: true\nb: No\nc: ON\nd: 1\n")
        #expect(reader.boolean("a", default: false))
        #expect(!reader.boolean("b", default: true))
        #expect(reader.boolean("c", default: false))
        #expect(reader.boolean("d", default: true))
        #expect(faults(reader) == ["d: 1 is neither true nor false; give one of them"])
    }

    @Test(
        "Durations",
        arguments: [
            ("10s", Duration.seconds(10)), ("500ms", .milliseconds(500)), ("5m", .seconds(300)), ("1h", .seconds(3600)),
            ("0s", .zero), ("1h30m", .seconds(5400)), ("1.5s", .milliseconds(1500)), ("7d", .seconds(604_800)),
            ("250us", .microseconds(250)), ("1_000ms", .seconds(1)), ("3ns", .nanoseconds(3)),
        ]
    )
    func durations(written: String, duration: Duration) throws {
        let reader = try reader("d: \(written)")
        #expect(reader.duration("d", default: .seconds(99), in: .zero ... .seconds(1_000_000)) == duration)
        #expect(faults(reader) == [])
    }

    @Test(
        "What is not a duration in range",
        arguments: [
            ("10", "d: 10 has no unit; write 10s for seconds or 10ms for milliseconds"),
            ("0", "d: 0 has no unit; write 0s for seconds or 0ms for milliseconds"),
            ("10x", "d: 10x has an unknown unit; use ms, s, m, h or d"),
            ("2h", "d: 2h is outside 100ms to 90s; give a duration in that range"),
            (
                "99999999999999999999d",
                "d: 99999999999999999999d is outside 100ms to 90s; give a duration in that range"
            ),
            ("soon", "d: \"soon\" is not a duration; give a duration such as 10s, 500ms, 5m or 1h"),
            ("30m1h", "d: 30m1h is not a duration; give a duration such as 10s, 500ms, 5m or 1h"),
            ("10 s", "d: \"10 s\" is not a duration; give a duration such as 10s, 500ms, 5m or 1h"),
            ("1.s", "d: 1.s is not a duration; give a duration such as 10s, 500ms, 5m or 1h"),
            ("-5s", "d: -5s is not a duration; give a duration such as 10s, 500ms, 5m or 1h"),
        ]
    )
    func badDurations(written: String, fault: String) throws {
        let reader = try reader("d: \(written)")
        #expect(reader.duration("d", default: .seconds(1), in: .milliseconds(100) ... .seconds(90)) == .seconds(1))
        #expect(faults(reader) == [fault])
    }

    @Test(
        "Sizes",
        arguments: [
            ("8GiB", 8 << 30), ("64MiB", 64 << 20), ("64 mib", 64 << 20), ("10MB", 10_000_000), ("1048576", 1_048_576),
            ("900_000", 900_000), ("1.5KiB", 1536), ("8Gi", 8 << 30), ("2kB", 2000), ("12B", 12), ("1TiB", 1 << 40),
        ]
    )
    func sizes(written: String, count: Int) throws {
        let reader = try reader("b: \(written)")
        #expect(reader.bytes("b", default: 1, in: 0...Int.max) == count)
        #expect(faults(reader) == [])
    }

    @Test(
        "What is not a size in range",
        arguments: [
            ("8G", "b: 8G has an unknown unit; use KiB, MiB, GiB, TiB (1024) or kB, MB, GB, TB (1000)"),
            ("1KiB", "b: 1KiB is outside 1MiB to 8GiB; give a size in that range"),
            ("9999999999TiB", "b: 9999999999TiB is outside 1MiB to 8GiB; give a size in that range"),
            ("much", "b: \"much\" is not a size; give a size such as 64MiB, 8GiB or a number of bytes"),
            ("1GiB2", "b: 1GiB2 is not a size; give a size such as 64MiB, 8GiB or a number of bytes"),
        ]
    )
    func badSizes(written: String, fault: String) throws {
        let reader = try reader("b: \(written)")
        #expect(reader.bytes("b", default: 1 << 20, in: 1 << 20...8 << 30) == 1 << 20)
        #expect(faults(reader) == [fault])
    }

    @Test("A choice is one of its cases; the fault lists them")
    func choices() throws {
        let reader = try reader("a: structured\nb: Binari\nc: x\n")
        #expect(reader.choice("a", default: Mode.binary) == .structured)
        #expect(reader.choice("b", default: Mode.structured) == .structured)
        #expect(reader.choice("c", default: Mode.structured) == .structured)
        #expect(
            faults(reader) == [
                "b: \"Binari\" is not a choice (did you mean binary?); give one of structured, binary",
                "c: \"x\" is not a choice; give one of structured, binary",
            ]
        )
    }

    @Test("Lists of values, with faults that name the element")
    func lists() throws {
        let reader = try reader("a: [x, 5, 'y z']\nb: []\nc: x\nd: [x, [y], null, {k: v}]\n")
        #expect(reader.strings("a", default: []) == ["x", "5", "y z"])
        #expect(reader.strings("b", default: ["z"]) == [])
        #expect(reader.strings("c", default: ["z"]) == [])
        #expect(reader.strings("d", default: ["z"]) == ["x"])
        #expect(
            faults(reader) == [
                "c: found a single value; give a list of values, [a, b]",
                "d[1]: found a list; give a single value",
                "d[2]: is empty; give a value or remove the element",
                "d[3]: found a mapping; give a single value, {file: PATH} or {env: NAME}",
            ]
        )
    }

    @Test("A map of values keeps them as written")
    func maps() throws {
        let reader = try reader("m:\n  a.b: true\n  c: 5\n  d: \"x\"\n  e: null\n  f: {g: h}\nn: [x]\n")
        #expect(reader.stringMap("m") == ["a.b": "true", "c": "5", "d": "x"])
        #expect(reader.stringMap("n").isEmpty)
        #expect(
            faults(reader) == [
                "m.f: found a mapping; give a single value, with the whole name in one key (a.b.c: value)",
                "n: found a list; give a mapping of names to values",
            ]
        )
    }

    @Test("A required value that is absent or blank is a fault that says where to set it")
    func required() throws {
        let reader = try reader("kafka: {b: ' '}\nlist: [{}]", ["APP_KAFKA_C": ""])
        #expect(reader.section("kafka").requiredString("bootstrapServers") == "")
        #expect(reader.section("kafka").requiredString("b") == "")
        #expect(reader.section("kafka").requiredString("c") == "")
        #expect(reader.sections("list").map { $0.requiredString("id") } == [""])
        #expect(
            faults(reader) == [
                "kafka.bootstrapServers: missing; set it in the file, or APP_KAFKA_BOOTSTRAP_SERVERS in the environment",
                "kafka.c: is empty (from APP_KAFKA_C); give a value",
                "kafka.b: is empty; give a value",
                "list[0].id: missing; set it in the file",
            ]
        )
    }
}
