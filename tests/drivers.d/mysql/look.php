<?php
// What the programs in PHP share: features by their names, and what they see.

const EMOJI = "ü – 漢字 – 🐬 – \\ ' \" \n%";

function env(string $name): string { return getenv("MY_$name"); }

function text($value): string
{
    if (is_string($value) && preg_match('/^([a-z ]+|-)$/', $value)) return $value;
    $text = var_export(is_object($value) ? (array)$value : $value, true);
    $text = preg_replace('/\s*\n\s*/', ' ', $text);
    return strlen($text) < 2000 ? $text : strlen($text) . ' ' . md5($text);
}

/** One line; what is long, by its length and hash. */
function see(...$values): void { echo implode(' ', array_map('text', $values)), "\n"; }

function attempt(string $what, callable $work): void
{
    try {
        $work();
        see($what, 'nothing');
    } catch (Throwable $e) {
        see($what, get_class($e), $e->getCode(), $e->getMessage());
    }
}

function main(string $version, array $features): void
{
    echo "version $version\n";
    foreach ($features as $name => $work) {
        echo "begin $name\n";
        try {
            $work();
        } catch (Throwable $e) {
            echo 'raised ', text(get_class($e) . ' ' . $e->getMessage()), ' ', $e->getLine(), "\n";
        }
    }
    echo "end\n";
}
