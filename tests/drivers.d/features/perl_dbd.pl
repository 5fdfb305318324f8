# DBD::Pg: statements prepared at once or at the second use, asynchronous queries, COPY, large objects, savepoints, notifications.
use strict;
use warnings;
use utf8;
use DBI qw(:sql_types);
use DBD::Pg qw(:pg_types :async);
use Time::HiRes qw(sleep time);

binmode STDOUT, ':utf8';
$| = 1;
my (@names, %work);
my $moves = $ENV{FEATURES_ROUTE} ne 'direct';

sub feature { my ($name, $work) = @_; push @names, $name; $work{$name} = $work }

sub text { my $v = shift; !defined $v ? 'undef' : ref $v ? '[' . join(', ', map { text($_) } @$v) . ']' : "$v" }

sub equal {
    my ($got, $expected) = map { text($_) } @_;
    die 'got ' . substr($got, 0, 200) . ', not ' . substr($expected, 0, 200) . ' line ' . (caller)[2] . "\n" if $got ne $expected;
}

sub fails {
    my ($what, $sub) = @_;
    die "no error $what line " . (caller)[2] . "\n" if eval { $sub->(); 1 };
    my ($text, $state) = ($@, $DBI::state // '');
    die "error $state $text, not $what\n" if $state ne $what && index($text, $what) < 0;
}

sub moved {
    my (%pids, %clients);
    for (@_) { $pids{"@$_"} = 1; $clients{ $_->[0] } = 1 }
    die 'statements were done by ' . keys(%pids) . " server processes\n" if $moves != (keys %pids > keys %clients);
}

sub opened {
    my ($more, %with) = @_;
    my $host = ($more // '') =~ /host=/ ? '' : 'host=127.0.0.1;port=' . $ENV{PGPORT} . ';';
    return DBI->connect("dbi:Pg:${host}dbname=$ENV{PGDATABASE};connect_timeout=10;" . ($more // ''), $ENV{PGUSER}, $with{password} // $ENV{PGPASSWORD},
        { RaiseError => 1, PrintError => 0, PrintWarn => 0, AutoCommit => $with{AutoCommit} // 1, pg_enable_utf8 => 1, %{ $with{attributes} // {} } });
}

feature login => sub {
    my $c = opened('application_name=features-of-DBD');
    equal $c->selectall_arrayref("select current_user, current_setting('application_name')"), [[$ENV{PGUSER}, 'features-of-DBD']];
    fails 'password authentication failed', sub { opened('', password => 'wrong') };
};

feature tls => sub {
    my $c = opened("host=localhost;port=$ENV{PGPORT};sslmode=verify-full;sslrootcert=$ENV{FEATURES_CA}");
    equal $c->selectall_arrayref('select 1'), [[1]];
    fails 'certificate verify failed', sub { opened("host=localhost;port=$ENV{PGPORT};sslmode=verify-full;sslrootcert=$ENV{FEATURES_OTHER_CA}") };
    fails 'does not match host name', sub { opened("host=127.0.0.1;port=$ENV{PGPORT};sslmode=verify-full;sslrootcert=$ENV{FEATURES_CA}") };
};

feature hosts => sub {
    my $c = opened("host=127.0.0.1,127.0.0.1;port=$ENV{FEATURES_DEAD_PORT},$ENV{PGPORT};target_session_attrs=read-write");
    equal $c->selectall_arrayref('select 5'), [[5]];
};

feature settings => sub {
    my @some = map { opened("options='-c search_path=s$_'") } 0 .. 4;
    $some[$_]->do("set timezone to 'Etc/GMT+$_'; set app.mine to '$_'") for 0 .. 4;
    my @pids;
    for my $n (0 .. 4) {
        $some[$n]->begin_work; # somebody else has to do without this one's server connection
        $some[$n]->do('select 1');
        for my $i (0 .. 4) {
            my @got = $some[$i]->selectrow_array("select current_setting('search_path'), current_setting('timezone'), current_setting('app.mine'), pg_backend_pid()");
            equal [@got[0 .. 2]], ["s$i", "Etc/GMT+$i", $i];
            push @pids, [$i, $got[3]];
        }
        $some[$n]->commit;
    }
    moved @pids;
};

sub there_and_back {
    my $c = opened('', attributes => { pg_server_prepare => shift });
    for (1 .. 3) {
        my $s = $c->prepare('select ?::int, ?::bigint, ?::float8, ?::bool, ?::text, ?::bytea, ?::timestamptz, ?::int[], ?::text');
        my @values = (1, 2**40, 1.5, 1, "ä€'\\?", "\x00\xff'", '2024-02-29 12:30:15.123456+00', [1, undef, 3], undef);
        $s->bind_param($_, $values[$_ - 1], $_ == 6 ? { pg_type => PG_BYTEA } : undef) for 1 .. 9;
        $s->execute;
        equal $s->fetchrow_arrayref, \@values;
        $s->finish;
    }
}

feature types => sub { there_and_back($_) for 0, 1 };

feature large => sub {
    equal [opened()->selectrow_array("select length(?), repeat('y', 3000000)", undef, 'x' x 3_000_000)], [3_000_000, 'y' x 3_000_000];
};

feature prepared => sub {
    my @some = map { opened('', attributes => { pg_switch_prepared => 1 }) } 0 .. 4;
    my (@kept, @pids);
    for my $i (0 .. 4) { push @kept, $some[$i]->prepare("select name, $i, pg_backend_pid() from feature_items where id = ?", { pg_prepare_now => $i % 2 }) }
    for my $n (1 .. 6) {
        $some[$n % 5]->begin_work;
        $some[$n % 5]->do('select 1');
        for my $i (0 .. 4) {
            $kept[$i]->execute($n);
            my @got = $kept[$i]->fetchrow_array;
            $kept[$i]->finish;
            equal [@got[0, 1]], ["item $n", $i];
            push @pids, [$i, $got[2]];
            equal [$some[$i]->selectrow_array('select ?::int + 1', undef, $n)], [$n + 1];
        }
        $some[$n % 5]->commit;
    }
    equal $kept[1]->{NAME}, ['name', '?column?', 'pg_backend_pid'];
    undef @kept; # DEALLOCATE
    equal $some[1]->selectall_arrayref('select count(*) from pg_prepared_statements where statement like ?', undef, '%feature_items%'), [[0]];
    my $named = $some[2]->prepare('select ?::int * 3', { pg_prepare_name => 'mine', pg_prepare_now => 1 });
    $named->execute(4);
    equal $named->fetchall_arrayref, [[12]];
    moved @pids;
};

feature batch => sub {
    my $c = opened('', AutoCommit => 0);
    my $s = $c->prepare('insert into feature_items (id, name) values (?, ?)');
    my $status = [];
    $s->execute_array({ ArrayTupleStatus => $status }, [1000 .. 1299], [map { "b$_" } 1000 .. 1299]);
    equal [scalar(@$status), $c->selectrow_array('select count(*) from feature_items where id >= 1000')], [300, 300];
    $c->rollback;
    equal [$c->selectrow_array('select count(*) from feature_items')], [100];
    $c->rollback;
};

feature copyin => sub {
    my $c = opened();
    $c->do('copy feature_items from stdin');
    $c->pg_putcopydata("$_\tcopied $_\t\\N\n") for 2000 .. 6999;
    $c->pg_putcopyend;
    equal [$c->selectrow_array('select count(*), min(name) from feature_items where id >= 2000')], [5000, 'copied 2000'];
    $c->do('delete from feature_items where id >= 2000');
    fails '22P02', sub { $c->do('copy feature_items from stdin'); $c->pg_putcopydata("no number\tx\t1\n"); $c->pg_putcopyend };
    equal [$c->selectrow_array('select count(*) from feature_items')], [100];
};

feature copyout => sub {
    my ($c, @got, $line) = opened();
    $c->do("copy (select n, 'row ' || n from generate_series(1, 20000) n) to stdout with csv");
    while ($c->pg_getcopydata($line) >= 0) { push @got, $line }
    equal [scalar(@got), $got[0], $got[-1], $c->selectrow_array('select 1')], [20000, "1,row 1\n", "20000,row 20000\n", 1];
};

sub heard {
    my ($c, $count, $seconds) = @_;
    my ($end, @got) = (time + $seconds);
    while (@got < $count && time < $end) {
        my $n = $c->pg_notifies;
        if ($n) { push @got, [$n->[0], $n->[2]] } else { sleep 0.02 }
    }
    return \@got;
}

feature listen => sub {
    my ($c, $deaf, $other) = map { opened() } 1 .. 3;
    $c->do('listen feature_channel');
    $other->do("select pg_notify('feature_channel', ?)", undef, "payload $_") for 0 .. 2;
    equal heard($c, 3, 10), [map { ['feature_channel', "payload $_"] } 0 .. 2];
    $c->do('unlisten *');
    $other->do("notify feature_channel, 'late'");
    equal [heard($c, 1, 0.3), heard($deaf, 1, 0.1), $c->selectrow_array('select 2')], [[], [], 2];
};

feature cancel => sub {
    my ($c, $other) = (opened(), opened());
    for (1 .. 2) {
        my $s = $c->prepare('select pg_sleep(20)', { pg_async => PG_ASYNC });
        $s->execute;
        sleep 0.2;
        equal [$c->pg_ready, $s->pg_cancel, $c->selectrow_array('select 3'), $other->selectrow_array('select 4')], [0, 1, 3, 4];
        $c->do('select pg_sleep(0.1)', { pg_async => PG_ASYNC });
        equal [$other->selectrow_array('select 5'), $c->pg_result], [5, 1];
    }
};

feature transactions => sub {
    my ($c, $other) = (opened('', AutoCommit => 0), opened());
    $c->do('set transaction isolation level repeatable read');
    equal [$c->selectrow_array('select name from feature_items where id = 1')], ['item 1'];
    $other->do("update feature_items set name = 'changed' where id = 1");
    $c->pg_savepoint('s');
    fails '40001', sub { $c->do("update feature_items set name = 'mine' where id = 1") };
    $c->pg_rollback_to('s');
    $c->pg_release('s');
    equal [$c->selectrow_array('select name from feature_items where id = 1')], ['item 1'];
    $c->commit;
    $other->do("update feature_items set name = 'item 1' where id = 1");
    $c->{ReadOnly} = 1;
    fails '25006', sub { $c->do('delete from feature_items') };
    $c->rollback;
};

feature errors => sub {
    my $c = opened();
    for (1 .. 3) {
        fails '23505', sub { $c->do("insert into feature_items values (?, 'x', 0)", undef, 1) };
        equal [$c->pg_error_field('constraint'), $c->pg_error_field('table')], ['feature_items_pkey', 'feature_items'];
        fails '42703', sub { $c->do('select nothing_like_it, ?', undef, 1) };
        fails '22012', sub { $c->do('select 1 / ?::int', undef, 0) };
        equal [$c->selectrow_array('select ?::int', undef, 8)], [8];
    }
    my @heard;
    local $SIG{__WARN__} = sub { push @heard, @_ };
    $c->{PrintWarn} = 1;
    $c->do("do \$\$ begin raise warning 'heard'; end \$\$");
    equal [@heard == 1 && $heard[0] =~ /heard/ ? 'heard' : "@heard"], ['heard'];
};

feature keys => sub { # by currval() and lastval()
    my $c = opened();
    for (1 .. 3) {
        $c->begin_work;
        $c->do('insert into feature_keys default values');
        my $id = $c->last_insert_id(undef, undef, 'feature_keys', undef);
        equal [$c->selectrow_array('select max(id) from feature_keys')], [$id];
        $c->commit;
        next if !$ENV{FEATURES_SEQUENCES};
        $c->do('insert into feature_keys default values');
        equal [$c->last_insert_id(undef, undef, 'feature_keys', undef)], [$id + 1];
    }
};

feature lobs => sub {
    my $c = opened('', AutoCommit => 0);
    my $oid = $c->pg_lo_creat($c->{pg_INV_WRITE});
    my $fd = $c->pg_lo_open($oid, $c->{pg_INV_WRITE});
    equal $c->pg_lo_write($fd, "\x00\x01" x 300_000, 600_000), 600_000;
    $c->pg_lo_lseek($fd, 10, 0);
    $c->pg_lo_write($fd, 'there', 5);
    $c->pg_lo_close($fd);
    $c->commit;
    $fd = $c->pg_lo_open($oid, $c->{pg_INV_READ});
    $c->pg_lo_lseek($fd, 8, 0);
    my $data = '';
    equal [$c->pg_lo_read($fd, $data, 8), unpack('H*', $data)], [8, unpack('H*', "\x00\x01there\x01")];
    $c->pg_lo_unlink($oid);
    $c->commit;
};

feature pool => sub { # connect_cached, ping
    for my $n (1 .. 3) {
        my $c = DBI->connect_cached("dbi:Pg:host=127.0.0.1;dbname=$ENV{PGDATABASE}", $ENV{PGUSER}, $ENV{PGPASSWORD}, { RaiseError => 1 });
        equal [$c->ping > 0, $c->selectrow_array('select ?::int', undef, $n)], [1, $n];
        $c->begin_work;
        equal [$c->ping > 0], [1];
        $c->rollback;
    }
};

print "version DBD::Pg $DBD::Pg::VERSION\n";
for my $name (@ARGV ? @ARGV : @names) {
    next if !$work{$name};
    print "begin $name\n";
    if (eval { $work{$name}->(); 1 }) { print "$name ok\n" }
    else { (my $text = $@) =~ s/\s+/ /g; print "$name failed $text\n" }
}
print "end\n";
