<?php
/*
 * What PHP's parse_str makes of form bodies: the reference for the bridge's decoder.
 *
 * stdin:  one body a line, base64 (an empty line is an empty body)
 * stdout: one line of JSON each, which loses nothing: a string is {"s": base64}, an array
 *         {"a": [[key as base64, value], …]} in PHP's order. PHP keeps "1" as an integer key and
 *         "01" as text; their decimal form tells them apart, so keys are written as text.
 *
 * Run it so, or parse_str drops what is over its limits (they cannot be set at run time):
 *
 *   php -n -d max_input_vars=1000000 -d max_input_nesting_level=1000000 -d memory_limit=2G \
 *       parse_str_reference.php < bodies
 *
 * -n leaves out php.ini, which could change the separator or translate encodings.
 * Exits 2 when the limits are too low, 1 at a line that is not base64.
 */
declare(strict_types=1);

const MIN_LIMIT = 1000000; // a body of 1 MiB holds fewer pairs ("a&") and fewer levels ("[]") than this

foreach (['max_input_vars', 'max_input_nesting_level'] as $name) {
    if ((int) ini_get($name) < MIN_LIMIT) {
        fwrite(STDERR, "$name is too low: run with php -d $name=" . MIN_LIMIT . "\n");
        exit(2);
    }
}

/** Writes with a stack of its own: a body may nest deeper than json_encode or recursion should go. */
function encode(array $root): string
{
    $out = '{"a":[';
    $stack = [[$root, array_keys($root), 0]];
    while ($stack !== []) {
        $top = count($stack) - 1;
        [$array, $keys, $next] = $stack[$top];
        if ($next === count($keys)) {
            array_pop($stack);
            $out .= ']}' . ($stack === [] ? '' : ']');
            continue;
        }
        $stack[$top][2]++;
        $key = $keys[$next];
        $out .= ($next === 0 ? '' : ',') . '["' . base64_encode((string) $key) . '",';
        if (is_array($array[$key])) {
            $out .= '{"a":[';
            $stack[] = [$array[$key], array_keys($array[$key]), 0];
        } else {
            $out .= '{"s":"' . base64_encode($array[$key]) . '"}]';
        }
    }
    return $out;
}

/** Takes a deep array apart level by level: PHP would free it by recursion and run out of C stack. */
function dismantle(array &$root): void
{
    $queue = [$root];
    $root = [];
    while ($queue !== []) {
        $array = array_pop($queue);
        foreach ($array as $value) {
            if (is_array($value)) {
                $queue[] = $value;
            }
        }
        unset($value);
    }
}

$number = 0;
while (($line = fgets(STDIN)) !== false) {
    $number++;
    $body = base64_decode(rtrim($line, "\r\n"), true);
    if ($body === false) {
        fwrite(STDERR, "line $number is not base64\n");
        exit(1);
    }
    $result = []; // parse_str leaves it alone for an empty body
    parse_str($body, $result);
    echo encode($result), "\n";
    flush();
    dismantle($result);
}
