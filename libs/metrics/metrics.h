// What a process counts and measures, one registry a process, by Prometheus' naming rules: `keyferry_<what>_<unit>`, counters end in `_total`, units are
// seconds and bytes. Labels come from small sets alone (regions, RPCs, words of our own): no name of a tenant, no id, no text of an error. A family is a
// static of the file that counts; what can be asked for (ages, backlogs) is set by a function that each scrape calls. docs/metrics.md lists all.
//
// Thread safety: all methods from any thread.
#ifndef KEYFERRY_METRICS_METRICS_H_
#define KEYFERRY_METRICS_METRICS_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace keyferry {

using MetricLabels = std::map<std::string, std::string>;

// One of a family, with its labels: counting with it looks nothing up and allocates nothing. Lasts as long as the process.
class Counter {
 public:
  void Add(double count = 1) const;

 private:
  friend class CounterFamily;
  explicit Counter(void* counter) : counter_(counter) {}
  void* counter_;
};

class Histogram {
 public:
  void Observe(double value) const;

 private:
  friend class HistogramFamily;
  explicit Histogram(void* histogram) : histogram_(histogram) {}
  void* histogram_;
};

// The same name and help wherever it is made: two of one name are one.
class CounterFamily {
 public:
  CounterFamily(const std::string& name, const std::string& help);
  void Add(const MetricLabels& labels = {}, double count = 1);
  // It is shown from then on, with 0.
  Counter Of(const MetricLabels& labels) const;

 private:
  void* const family_;
};

class GaugeFamily {
 public:
  GaugeFamily(const std::string& name, const std::string& help);
  void Set(const MetricLabels& labels, double value);
  // It is not shown from then on.
  void Remove(const MetricLabels& labels);

 private:
  void* const family_;
};

class HistogramFamily {
 public:
  // Upper bounds, ascending; +Inf is added.
  HistogramFamily(const std::string& name, const std::string& help, std::vector<double> bounds);
  void Observe(const MetricLabels& labels, double value);
  Histogram Of(const MetricLabels& labels) const;

 private:
  void* const family_;
  const std::vector<double> bounds_;
};

// 1 ms to 5 min.
std::vector<double> SecondsBuckets();
// 1, 2, 4, ... 1024.
std::vector<double> CountBuckets();

// `fill` runs before each scrape, for as long as the handle lives; scrapes come one at a time. After the handle's destructor it never runs.
[[nodiscard]] std::shared_ptr<void> BeforeScrapes(std::function<void()> fill);

// As a scraper gets it.
std::string MetricsText();

}  // namespace keyferry

#endif  // KEYFERRY_METRICS_METRICS_H_
