// SPDX-License-Identifier: Apache-2.0
#include "host/check/rounded.h"

#include <algorithm>
#include <cmath>

namespace touchstone::check {
namespace {

/// The result of one float32 operation whose operands' errors have moved it by `carried`.
Rounded round(double value, double carried) {
  return {value, carried + unit_roundoff * (std::abs(value) + carried) + underflow_loss};
}

/// The same of exp and log.
Rounded round_function(double value, double carried) {
  return {value, carried + 2 * function_ulps * unit_roundoff * (std::abs(value) + carried) + smallest_normal};
}

}  // namespace

double gamma(std::int64_t roundings) {
  const double lost = static_cast<double>(roundings) * unit_roundoff;
  return lost / (1 - lost);
}

Rounded Rounded::constant(double value) { return {value, unit_roundoff * std::abs(value)}; }

Rounded operator+(const Rounded& a, const Rounded& b) { return round(a.value + b.value, a.error + b.error); }

Rounded operator-(const Rounded& a, const Rounded& b) { return round(a.value - b.value, a.error + b.error); }

Rounded operator*(const Rounded& a, const Rounded& b) {
  return round(a.value * b.value, std::abs(a.value) * b.error + std::abs(b.value) * a.error + a.error * b.error);
}

Rounded operator/(const Rounded& a, const Rounded& b) {
  const double quotient = a.value / b.value;
  // |(a + da)/(b + db) - a/b| = |da - (a/b) db| / |b + db|.
  return round(quotient, (a.error + std::abs(quotient) * b.error) / (std::abs(b.value) - b.error));
}

Rounded sqrt(const Rounded& a) {
  const double root = std::sqrt(a.value);
  const double lowest = std::sqrt(std::max(0.0, a.value - a.error));
  const double highest = std::sqrt(a.value + a.error);
  return round(root, std::max(root - lowest, highest - root));
}

Rounded exp(const Rounded& a) {
  const double power = std::exp(a.value);
  // Where even the double underflows, so does the product below, and its other factor may be infinite.
  const double carried = power == 0 ? std::exp(a.value + a.error) : power * std::expm1(a.error);
  return round_function(power, carried);
}

Rounded log(const Rounded& a) { return round_function(std::log(a.value), -std::log1p(-a.error / a.value)); }

Rounded sum(std::span<const Rounded> terms) {
  double value = 0;
  double magnitude = 0;
  double error = 0;
  for (const Rounded& term : terms) {
    value += term.value;
    magnitude += std::abs(term.value) + term.error;
    error += term.error;
  }
  const auto additions = static_cast<std::int64_t>(terms.size()) - 1;
  return {value, error + gamma(std::max<std::int64_t>(additions, 0)) * magnitude};
}

Rounded sigmoid(const Rounded& a) {
  const double value = 1 / (1 + std::exp(-a.value));
  // The derivative s(1-s) is at most e^error of its value here anywhere within `error` of it.
  const double carried = value / (1 + std::exp(a.value)) * std::expm1(a.error);
  // exp's error reaches the quotient damped by 1-s or s, hence by at most 1; sum and quotient round once each.
  const double roundings = 2 * function_ulps + 2;
  const double lost = roundings * unit_roundoff / (1 - roundings * unit_roundoff);
  return {value, carried + lost * (value + carried) + smallest_normal};
}

}  // namespace touchstone::check
