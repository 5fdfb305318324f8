"""What the measurements of a run come to: ratios of pairs, and bars that are met or missed."""
import statistics


def ratio_of(results, cell, figure, name, other):
    a = [r[figure] for r in results.get(cell, {}).get(name, [])]
    b = [r[figure] for r in results.get(cell, {}).get(other, [])]
    return statistics.median([x / y for x, y in zip(a, b) if y]) if a and b else None


def difference_of(results, figure, cell, other, name):
    a = [r[figure] for r in results.get(cell, {}).get(name, [])]
    b = [r[figure] for r in results.get(other, {}).get(name, [])]
    return statistics.median([x - y for x, y in zip(a, b)]) if a and b else None


def print_verdicts(bars):
    """How many of (text, value or None, relation, bar) are missed."""
    print("\nbars")
    missed = 0
    for text, value, relation, bar in bars:
        if value is None:
            verdict = "not measured"
        else:
            met = value <= bar if relation == "<=" else value >= bar
            missed += not met
            verdict = f"{value:.3f} {'met' if met else 'MISSED'}"
        print(f"  {text:52} {relation} {bar:<7} {verdict}")
    return missed
